//! `procos incidents`: what stands still, why, and what to do.

use engine_client::EngineError;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::story::{Stuck, is_cause, name};
use crate::args::IncidentsArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::{Theme, ago, say, say_json, short_id, shorten, story};

/// How many calls to the engine are under way at once.
const AT_ONCE: usize = 8;

pub(super) async fn run(args: &IncidentsArgs, context: &Context) -> Result<Status, Trouble> {
    let engine = connect(&context.config)?;
    let incidents = engine.incidents(None).await?;
    let tenant = args.tenant.tenant.as_ref();
    let meant = incidents
        .iter()
        .filter(|incident| is_cause(incident) && (tenant.is_none() || incident.tenant_id.as_ref() == tenant));
    let named: Vec<Option<Stuck>> = stream::iter(meant)
        .map(|incident| name(&engine, incident))
        .buffered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await
        .map_err(|error: EngineError| error)?;
    let is_meant = |stuck: &Stuck| args.key.is_none() || stuck.key == args.key;
    let stuck: Vec<Stuck> = named.into_iter().flatten().filter(is_meant).collect();
    if context.json {
        say_json(&stuck)?;
    } else {
        say(&list(&stuck, &Theme::stdout()))?;
    }
    Ok(Status::Done)
}

fn list(incidents: &[Stuck], theme: &Theme) -> String {
    if incidents.is_empty() {
        return format!("{} no incidents", theme.good("✓"));
    }
    incidents
        .iter()
        .map(|stuck| entry(stuck, theme))
        .collect::<Vec<_>>()
        .join("\n")
}

fn entry(stuck: &Stuck, theme: &Theme) -> String {
    let id = short_id(stuck.instance_id.as_deref().unwrap_or_default());
    let since = stuck
        .since
        .map(|since| format!(" since {} ({})", theme.local(since), ago(since, theme)));
    let message = if stuck.message.is_empty() {
        "(no message)"
    } else {
        &stuck.message
    };
    format!(
        "{} {id}  {} stopped at  {}{}\n  {}\n{}",
        theme.bad("✗"),
        stuck.key.as_deref().unwrap_or_default(),
        theme.strong(&shorten(stuck.step(), 80)),
        theme.dim(&since.unwrap_or_default()),
        theme.bad(&shorten(message, 300)),
        story::next(&story::remedies(stuck, id)[..2], theme),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::story::samples;

    #[test]
    fn each_says_what_is_wrong_and_what_to_do() {
        let incidents = samples::stuck().incidents;
        insta::assert_snapshot!(list(&incidents, &Theme::plain()));
        assert_eq!(list(&[], &Theme::plain()), "✓ no incidents");
    }
}
