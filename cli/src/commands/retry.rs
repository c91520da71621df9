//! `procos retry`: gives what has failed in an instance another attempt.

use engine_client::{
    ActivityRecord, EngineClient, EngineError, ExternalTask, RecordQuery, Scope, TokenMove, Variable,
    Variables,
};
use serde::Serialize;
use worker_runtime::EFFECT_VARIABLE;

use super::find::{self, Among};
use super::story::element_name;
use super::variables;
use crate::args::RetryArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::{Theme, say, say_json, short_id, story};

/// What had failed gets one more attempt: whoever retries is there to see how it goes.
const ATTEMPTS: u32 = 1;

/// How deep calls are followed.
const DEEPEST_CALL: usize = 16;

/// One thing that has got another attempt.
#[derive(Debug, Serialize)]
struct Retried {
    instance_id: String,
    /// The id of the element.
    step_id: String,
    /// Its name.
    step_name: Option<String>,
    /// The topic, where it is an external task.
    topic: Option<String>,
    how: How,
}

/// How it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum How {
    /// As it was, with the inputs it had.
    AsItWas,
    /// With other inputs.
    OtherInputs,
    /// From before its input parameters, which are computed anew.
    BegunAnew,
    /// It was done: it goes on with the answer that it had.
    WithItsAnswer,
}

/// What the worker has written down of a task that must not be done twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noted {
    /// Nothing, or that it was not done.
    Nothing,
    /// It may have been done.
    Unknown,
    /// It was done.
    Done,
}

/// What stands still in one instance.
struct Failed {
    instance_id: String,
    tasks: Vec<ExternalTask>,
    jobs: Vec<engine_client::Job>,
}

pub(super) async fn run(args: RetryArgs, context: &Context) -> Result<Status, Trouble> {
    let engine = connect(&context.config)?;
    let variables = variables::read(args.variables, None)?;
    let record = find::instance(&engine, &args.instance, Among::Running).await?;
    let failed = failed(&engine, &record.id).await?;
    if failed.is_empty() {
        let id = short_id(&record.id);
        return Err(Trouble::no(format!(
            "nothing has failed for good in {} {id}; `procos show {id}` tells what it waits for",
            record.process_definition_key
        )));
    }
    let (mut retried, mut left_out) = (Vec::new(), Vec::new());
    for failed in failed {
        let done = retry(&engine, &failed, &variables, args.again).await?;
        retried.extend(done.retried);
        left_out.extend(done.left_out);
    }
    if retried.is_empty() {
        return Err(Trouble::no(may_have_been_done(&record.id, &left_out)));
    }
    if context.json {
        say_json(&serde_json::json!({ "instance_id": record.id, "retried": retried, "left_out": left_out }))?;
    } else {
        let theme = Theme::stdout();
        let mut text = told(&record.id, &retried, &theme);
        if !left_out.is_empty() {
            let why = may_have_been_done(&record.id, &left_out);
            text = format!("{} {why}\n{text}", theme.warn("!"));
        }
        say(&text)?;
    }
    Ok(Status::Done)
}

/// Why nothing was done for these steps, and what to do.
fn may_have_been_done(instance_id: &str, steps: &[String]) -> String {
    format!(
        "{} may have been done already, and is not done again unasked: look at the service; where it was not done, \
         `procos retry {} --again` does it",
        steps.join(", "),
        short_id(instance_id)
    )
}

/// What has failed for good in an instance and in those that it called.
async fn failed(engine: &EngineClient, instance_id: &str) -> Result<Vec<Failed>, EngineError> {
    let (mut found, mut level) = (Vec::new(), vec![instance_id.to_owned()]);
    for _ in 0..DEEPEST_CALL {
        let mut below = Vec::new();
        for id in level {
            let called = RecordQuery {
                super_process_instance_id: Some(&id),
                unfinished: true,
                max_results: 1000,
                ..RecordQuery::default()
            };
            let (mut tasks, mut jobs, called) = tokio::try_join!(
                engine.external_tasks(&id),
                engine.jobs(&id),
                engine.find_instance_records(&called),
            )?;
            tasks.retain(|task| task.retries == Some(0));
            jobs.retain(|job| job.retries == 0);
            below.extend(called.into_iter().map(|record| record.id));
            if !tasks.is_empty() || !jobs.is_empty() {
                found.push(Failed {
                    instance_id: id,
                    tasks,
                    jobs,
                });
            }
        }
        level = below;
    }
    Ok(found)
}

/// What came of one instance.
struct Done {
    retried: Vec<Retried>,
    /// The ids of the steps that may have been done already.
    left_out: Vec<String>,
}

async fn retry(
    engine: &EngineClient,
    failed: &Failed,
    variables: &Variables,
    again: bool,
) -> Result<Done, Trouble> {
    let id = &failed.instance_id;
    let (of_process, steps) = tokio::try_join!(
        engine.variables(Scope::Instance(id)),
        engine.current_activities(id)
    )?;
    // All is decided before anything is changed.
    let (mut plan, mut left_out) = (Vec::new(), Vec::new());
    for task in &failed.tasks {
        let inputs = engine.variables(Scope::Execution(&task.execution_id)).await?;
        match noted(task, &inputs) {
            // Begun anew it would be another task, which does it again.
            Noted::Done
                if !variables.is_empty() && variables.keys().all(|name| inputs.contains_key(name)) =>
            {
                return Err(Trouble::no(format!(
                    "{} was done already, with the inputs that it had: leave out --var, and it goes on with the answer that \
                     it had",
                    task.activity_id
                )));
            }
            Noted::Done => plan.push((task, How::WithItsAnswer)),
            Noted::Unknown if !again => left_out.push(task.activity_id.clone()),
            Noted::Unknown | Noted::Nothing => {
                plan.push((task, how(task, &inputs, variables, &of_process, &steps)?));
            }
        }
    }
    if plan.is_empty() && failed.jobs.is_empty() {
        return Ok(Done {
            retried: Vec::new(),
            left_out,
        });
    }
    let needs_process = plan.iter().any(|(_, how)| *how != How::OtherInputs) || !failed.jobs.is_empty();
    if needs_process && !variables.is_empty() {
        engine
            .change_variables(Scope::Instance(id), variables, &[])
            .await?;
    }
    let mut retried = Vec::new();
    for (task, how) in plan {
        if how == How::OtherInputs {
            engine
                .change_variables(Scope::Execution(&task.execution_id), variables, &[])
                .await?;
        }
        match how {
            How::BegunAnew => begin_anew(engine, task, scope_of(task, &steps)).await?,
            How::AsItWas | How::OtherInputs | How::WithItsAnswer => {
                engine.set_external_task_retries(&task.id, ATTEMPTS).await?
            }
        }
        let step = steps.iter().find(|step| step.id == task.activity_instance_id);
        retried.push(Retried {
            instance_id: id.clone(),
            step_id: task.activity_id.clone(),
            step_name: step.and_then(|step| step.activity_name.clone()),
            topic: Some(task.topic_name.clone()),
            how,
        });
    }
    for job in &failed.jobs {
        engine.set_job_retries(&job.id, ATTEMPTS).await?;
        let step_id = job.failed_activity_id.clone().unwrap_or_default();
        let definition = engine.instance(id).await?.definition_id;
        retried.push(Retried {
            instance_id: id.clone(),
            step_name: element_name(engine, &definition, &step_id).await?,
            step_id,
            topic: None,
            how: How::AsItWas,
        });
    }
    Ok(Done { retried, left_out })
}

/// What the worker has written down, of this very task.
fn noted(task: &ExternalTask, inputs: &Variables) -> Noted {
    let Some(Variable::Json(note)) = inputs.get(EFFECT_VARIABLE) else {
        return Noted::Nothing;
    };
    match note["state"].as_str() {
        _ if note["task"] != task.id.as_str() => Noted::Nothing,
        Some("receipt") => Noted::Done,
        Some("intent" | "told") => Noted::Unknown,
        _ => Noted::Nothing,
    }
}

/// A step's input parameters have been computed when it began, so a changed process variable alone would change
/// nothing for it. A variable that is an input of the step, and none of the process, replaces that input. With
/// any other the step begins anew.
fn how(
    task: &ExternalTask,
    inputs: &Variables,
    given: &Variables,
    of_process: &Variables,
    steps: &[ActivityRecord],
) -> Result<How, Trouble> {
    let is_input = |name: &String| inputs.contains_key(name) && !of_process.contains_key(name);
    if given.is_empty() {
        return Ok(How::AsItWas);
    }
    if given.keys().all(is_input) {
        return Ok(How::OtherInputs);
    }
    if inputs.is_empty() {
        return Ok(How::AsItWas);
    }
    let scope = scope_of(task, steps);
    if steps
        .iter()
        .any(|step| step.id == scope && step.activity_type == "multiInstanceBody")
    {
        return Err(Trouble::no(format!(
            "{} is one of several at once and cannot begin anew; give --var with the names of its inputs, which \
             `procos show {}` lists",
            task.activity_id,
            short_id(&task.process_instance_id)
        )));
    }
    Ok(How::BegunAnew)
}

/// The visit of the scope in which a task stands: of the process, a subprocess, or several at once.
fn scope_of<'a>(task: &'a ExternalTask, steps: &'a [ActivityRecord]) -> &'a str {
    let step = steps.iter().find(|step| step.id == task.activity_instance_id);
    step.and_then(|step| step.parent_activity_instance_id.as_deref())
        .unwrap_or(&task.process_instance_id)
}

/// Puts the token of a task back before it.
async fn begin_anew(engine: &EngineClient, task: &ExternalTask, scope: &str) -> Result<(), Trouble> {
    let away = TokenMove::Cancel {
        activity_instance_id: &task.activity_instance_id,
    };
    let back = TokenMove::Start {
        activity_id: &task.activity_id,
        ancestor_activity_instance_id: scope,
    };
    let instance = &task.process_instance_id;
    match engine.modify_instance(instance, &[away, back], false).await {
        // Leaving the step computes its output parameters, and these mostly need the answer that it never got.
        // Without them its inputs would be left out, too, so it takes two calls: first back, as an instance
        // without a token would end. Ctrl-C must not come between them.
        Err(error) if error.is_internal() || error.is_bad_request() => {
            let _deaf = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
            engine.modify_instance(instance, &[back], false).await?;
            Ok(engine.modify_instance(instance, &[away], true).await?)
        }
        answer => Ok(answer?),
    }
}

fn told(instance_id: &str, retried: &[Retried], theme: &Theme) -> String {
    let lines = retried.iter().map(|it| {
        let topic = it
            .topic
            .as_deref()
            .map(|topic| format!("  ({topic})"))
            .unwrap_or_default();
        let how = match it.how {
            How::AsItWas => "is tried again",
            How::OtherInputs => "is tried again with the given inputs",
            How::BegunAnew => "begins anew, its inputs computed from the given variables",
            How::WithItsAnswer => "was done already, and goes on with the answer that it had",
        };
        let elsewhere = match it.instance_id == instance_id {
            true => String::new(),
            false => format!(" in {}", short_id(&it.instance_id)),
        };
        format!(
            "{} {}{topic}{elsewhere} {how}\n",
            theme.good("✓"),
            theme.strong(it.step_name.as_deref().unwrap_or(&it.step_id))
        )
    });
    let show = format!("procos show {}", short_id(instance_id));
    lines.collect::<String>() + &story::next(&[(show, "how it goes")], theme)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variables(names: &[&str]) -> Variables {
        names
            .iter()
            .map(|name| ((*name).to_owned(), Variable::Null))
            .collect()
    }

    fn plan(inputs: &[&str], given: &[&str], of_process: &[&str], scope: &str) -> Result<How, Trouble> {
        let task =
            json!({"id": "t", "topicName": "x", "activityInstanceId": "a:1", "processInstanceId": "p"});
        let step = |id: &str, parent: &str, kind: &str| json!({"id": id, "activityId": id, "parentActivityInstanceId": parent, "activityType": kind});
        let steps = json!([step("a:1", "s:1", "serviceTask"), step("s:1", "p", scope)]);
        how(
            &serde_json::from_value(task).unwrap(),
            &variables(inputs),
            &variables(given),
            &variables(of_process),
            &serde_json::from_value::<Vec<ActivityRecord>>(steps).unwrap(),
        )
    }

    #[test]
    fn a_step_begins_anew_only_where_its_inputs_may_change() {
        let scope = "subProcess";
        assert_eq!(plan(&["value"], &[], &["order"], scope).unwrap(), How::AsItWas);
        assert_eq!(
            plan(&["value"], &["order"], &["order"], scope).unwrap(),
            How::BegunAnew
        );
        assert_eq!(
            plan(&["value"], &["value"], &["order"], scope).unwrap(),
            How::OtherInputs
        );
        assert_eq!(
            plan(&["order"], &["order"], &["order"], scope).unwrap(),
            How::BegunAnew
        );
        assert_eq!(
            plan(&["value"], &["value", "order"], &["order"], scope).unwrap(),
            How::BegunAnew
        );
        assert_eq!(plan(&[], &["order"], &["order"], scope).unwrap(), How::AsItWas);
    }

    #[test]
    fn what_was_done_or_may_have_been_is_known_by_its_own_note() {
        let task: ExternalTask = serde_json::from_value(
            json!({"id": "t", "topicName": "x", "activityInstanceId": "a", "processInstanceId": "p"}),
        )
        .unwrap();
        let note = |task: &str, state: &str| {
            let note = Variable::Json(json!({"task": task, "state": state}));
            Variables::from([(EFFECT_VARIABLE.to_owned(), note)])
        };
        for (inputs, expected) in [
            (note("t", "intent"), Noted::Unknown),
            (note("t", "told"), Noted::Unknown),
            (note("t", "undone"), Noted::Nothing),
            (note("t", "receipt"), Noted::Done),
            (note("another", "receipt"), Noted::Nothing),
            (variables(&["value"]), Noted::Nothing),
        ] {
            assert_eq!(noted(&task, &inputs), expected, "{inputs:?}");
        }
    }

    #[test]
    fn one_of_several_at_once_is_never_begun_anew() {
        let error = plan(&["value"], &["order"], &["order"], "multiInstanceBody").unwrap_err();
        assert!(error.message.contains("one of several"), "{error}");
        assert_eq!(
            plan(&["value"], &["value"], &[], "multiInstanceBody").unwrap(),
            How::OtherInputs
        );
    }
}
