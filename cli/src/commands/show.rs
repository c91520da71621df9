//! `procos show`: what happened in an instance.

use super::find::{self, Among};
use super::story::{State, Story, collect};
use crate::args::ShowArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::story::{self as draw, Depth};
use crate::output::{Theme, ago, say, say_json};

pub(super) async fn run(args: &ShowArgs, context: &Context) -> Result<Status, Trouble> {
    let engine = connect(&context.config)?;
    let root_process = &context.config.settings().microkernel.root_process;
    let record = match args.instance.as_str() {
        "last" => find::last(&engine, root_process).await?,
        id => find::instance(&engine, id, Among::All).await?,
    };
    let story = collect(&engine, &record.id).await?;
    if context.json {
        say_json(&story)?;
    } else {
        say(&page(&story, &Theme::stdout()))?;
    }
    Ok(Status::Done)
}

fn page(story: &Story, theme: &Theme) -> String {
    let mut text = draw::headline(story, theme) + "\n";
    let mut field = |label: &str, value: &str| {
        text.push_str(&format!("  {} {value}\n", theme.dim(&format!("{label:<8}"))));
    };
    field("instance", &story.instance_id);
    let name = story.name.as_deref().unwrap_or(&story.key);
    field(
        "process",
        &match story.version {
            Some(version) => format!("{name}, version {version}"),
            None => name.to_owned(),
        },
    );
    if let Some(tenant) = &story.tenant_id {
        field("tenant", tenant);
    }
    if let Some(started) = story.started {
        field(
            "started",
            &format!("{} ({})", theme.local(started), ago(started, theme)),
        );
    }
    if let (State::Terminated, Some(reason)) = (story.state, &story.reason) {
        field("reason", reason);
    }
    text.push('\n');
    text.push_str(&draw::steps(story, Depth::All, theme));
    if !story.variables.is_empty() {
        text.push_str(&format!(
            "\n{}\n{}\n",
            theme.dim("variables"),
            draw::variables(&story.variables, "  ", theme)
        ));
    }
    for stuck in &story.incidents {
        text.push('\n');
        text.push_str(&draw::stuck(story, stuck, true, theme));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::story::samples;

    #[test]
    fn everything_that_happened_stands_on_one_page() {
        insta::assert_snapshot!("finished", page(&samples::finished(), &Theme::plain()));
        insta::assert_snapshot!("stuck", page(&samples::stuck(), &Theme::plain()));
        insta::assert_snapshot!("nested", page(&samples::nested(), &Theme::plain()));
    }

    #[test]
    fn the_same_stands_in_the_json() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&samples::finished()).unwrap());
    }
}
