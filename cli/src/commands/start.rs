//! `procos start`: starts an instance, and waits for its end where asked to.

use std::time::Duration;

use engine_client::{EngineClient, EngineError};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

use super::story::{State, Story, Stuck, collect};
use super::wait::{Over, until_settled};
use super::{find, variables};
use crate::args::StartArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::story::{self as draw, Depth};
use crate::output::{Progress, Theme, duration, remark, say, say_json, short_id};

/// The answer of `procos start --json`. The names are what scripts rely on.
#[derive(Serialize)]
struct Answer<'s> {
    instance_id: &'s str,
    state: State,
    variables: &'s BTreeMap<String, Json>,
    incidents: &'s [Stuck],
}

pub(super) async fn run(args: StartArgs, context: &Context) -> Result<Status, Trouble> {
    let engine = connect(&context.config)?;
    let variables = variables::read(args.variables, args.variables_file.as_deref())?;
    let tenant = args.tenant.tenant.as_deref();
    let started = engine
        .start_instance(&args.key, tenant, args.business_key.as_deref(), &variables)
        .await;
    let instance = match started {
        // What no path can carry, such as `a/b`, is a bad request without a word.
        Err(error) if error.is_not_found() || error.is_bad_request() && error.engine_message().is_none() => {
            return Err(find::unknown_process(&engine, &args.key, tenant).await?);
        }
        Err(error) => return Err(refused(&args.key, error)),
        Ok(instance) => instance,
    };
    match args.wait {
        None => tell_start(&engine, &instance.id, context).await,
        Some(at_most) => wait(&engine, &instance.id, at_most, context).await,
    }
}

/// The engine runs a process to its first waiting point before it answers, so a model's mistakes show here.
fn refused(key: &str, error: EngineError) -> Trouble {
    match error.engine_message() {
        Some(message) if !error.is_transient() && !error.is_unauthorized() => {
            Trouble::no(format!("{key} cannot be started: {message}"))
        }
        _ => error.into(),
    }
}

async fn tell_start(engine: &EngineClient, id: &str, context: &Context) -> Result<Status, Trouble> {
    let story = collect(engine, id).await?;
    if context.json {
        tell_json(&story)?;
    } else if story.state == State::Running {
        let theme = Theme::stdout();
        let mut text = format!(
            "{} started {} {}\n",
            theme.good("✓"),
            theme.strong(&story.key),
            story.instance_id
        );
        let show = format!("procos show {}", short_id(id));
        text.push_str(&draw::next(&[(show, "how it stands")], &theme));
        say(&text)?;
    } else {
        say(&result(&story, &Theme::stdout()))?;
    }
    Ok(match story.state {
        State::Running | State::Completed => Status::Done,
        State::Incident | State::Terminated => Status::No,
    })
}

async fn wait(
    engine: &EngineClient,
    id: &str,
    at_most: Option<Duration>,
    context: &Context,
) -> Result<Status, Trouble> {
    let progress = Progress::start("starting");
    let over = until_settled(engine, id, at_most, &progress).await?;
    drop(progress);
    let story = collect(engine, id).await?;
    if context.json {
        tell_json(&story)?;
    } else {
        say(&result(&story, &Theme::stdout()))?;
    }
    let show = format!("`procos show {}` tells how it stands", short_id(id));
    match over {
        Over::Elapsed if story.state == State::Running => {
            let after = at_most.map(duration).unwrap_or_default();
            remark(&format!(
                "procos: not done after {after}; the instance goes on, {show}"
            ));
        }
        Over::Interrupted => remark(&format!(
            "procos: waiting no longer; the instance goes on, {show}"
        )),
        _ => {}
    }
    Ok(if story.state == State::Completed {
        Status::Done
    } else {
        Status::No
    })
}

fn tell_json(story: &Story) -> Result<(), Trouble> {
    say_json(&Answer {
        instance_id: &story.instance_id,
        state: story.state,
        variables: &story.variables,
        incidents: &story.incidents,
    })
}

/// How it went: the steps and what came out, or what it is stuck at and what to do.
fn result(story: &Story, theme: &Theme) -> String {
    if story.state == State::Incident {
        let stuck = story
            .incidents
            .iter()
            .map(|stuck| draw::stuck(story, stuck, false, theme));
        return stuck.collect::<Vec<_>>().join("\n");
    }
    let mut text = draw::headline(story, theme) + "\n";
    text.push_str(&draw::steps(story, Depth::Work, theme));
    if story.state == State::Completed && !story.variables.is_empty() {
        text.push('\n');
        text.push_str(&draw::variables(&story.variables, "  ", theme));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::story::samples;

    #[test]
    fn what_a_person_reads_when_it_ends_well_and_when_it_does_not() {
        insta::assert_snapshot!("finished", result(&samples::finished(), &Theme::plain()));
        insta::assert_snapshot!("stuck", result(&samples::stuck(), &Theme::plain()));
        insta::assert_snapshot!("waiting", result(&samples::waiting(), &Theme::plain()));
    }

    #[test]
    fn scripts_get_the_four_fields() {
        let story = samples::stuck();
        let answer = Answer {
            instance_id: &story.instance_id,
            state: story.state,
            variables: &story.variables,
            incidents: &story.incidents,
        };
        insta::assert_snapshot!(serde_json::to_string_pretty(&answer).unwrap());
    }
}
