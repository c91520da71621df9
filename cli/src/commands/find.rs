//! The instance or process that somebody means.

use engine_client::{EngineClient, EngineError, InstanceRecord, RecordQuery};

use crate::exit::Trouble;
use crate::output::short_id;

/// Fewer characters than these would hit anything.
const FEWEST_CHARACTERS: usize = 4;

/// How many instances are asked for at a time, and looked through at most.
const PAGE: usize = 1000;
const DEEPEST: usize = 20 * PAGE;

/// As many candidates are named where several fit.
const NAMED: usize = 5;

/// Among which instances is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Among {
    /// Those that run.
    Running,
    /// All that the history knows.
    All,
}

/// The instance whose id is, or begins with, `text`.
///
/// # Errors
/// Where there is none, or more than one.
pub(crate) async fn instance(
    engine: &EngineClient,
    text: &str,
    among: Among,
) -> Result<InstanceRecord, Trouble> {
    let record = match engine.instance_record(text).await {
        Ok(record) => record,
        // What no path can carry, such as `a/b`, is a bad request.
        Err(error) if error.is_not_found() || error.is_bad_request() => {
            by_beginning(engine, text, among).await?
        }
        Err(error) => return Err(error.into()),
    };
    if among == Among::Running && record.state.is_over() {
        return Err(Trouble::no(format!(
            "the instance {} of {} has ended already; `procos show {}` tells how",
            record.id,
            record.process_definition_key,
            short_id(&record.id)
        )));
    }
    Ok(record)
}

async fn by_beginning(engine: &EngineClient, text: &str, among: Among) -> Result<InstanceRecord, Trouble> {
    let unknown = || {
        Trouble::no(format!(
            "there is no instance {text}; `procos ps --all` lists them"
        ))
    };
    if text.chars().count() < FEWEST_CHARACTERS {
        return Err(Trouble::no(format!(
            "`{text}` is too little of an id: give at least {FEWEST_CHARACTERS} characters"
        )));
    }
    let mut found = Vec::new();
    for first_result in (0..DEEPEST).step_by(PAGE) {
        let unfinished = among == Among::Running;
        let query = RecordQuery {
            unfinished,
            first_result,
            max_results: PAGE,
            ..RecordQuery::default()
        };
        let page = engine.find_instance_records(&query).await?;
        let is_last = page.len() < PAGE;
        found.extend(page.into_iter().filter(|record| record.id.starts_with(text)));
        if is_last {
            break;
        }
    }
    match found.len() {
        0 => Err(unknown()),
        1 => found.pop().ok_or_else(unknown),
        several => {
            let some = found
                .iter()
                .take(NAMED)
                .map(|record| format!("  {}  {}", record.id, record.process_definition_key));
            Err(Trouble::no(format!(
                "{several} instances begin with {text}; give more of the id:\n{}",
                some.collect::<Vec<_>>().join("\n")
            )))
        }
    }
}

/// The instance that was started most recently by somebody: the outermost one that is not the system's own, so
/// neither the root process nor what that calls to hand over a request.
///
/// # Errors
/// Where nothing has been started yet.
pub(crate) async fn last(engine: &EngineClient, root_process: &str) -> Result<InstanceRecord, Trouble> {
    let query = RecordQuery {
        max_results: 50,
        ..RecordQuery::default()
    };
    let latest = engine.find_instance_records(&query).await?;
    let started = latest
        .into_iter()
        .find(|record| record.process_definition_key != root_process);
    let mut record = started
        .ok_or_else(|| Trouble::no("nothing has been started yet; `procos start KEY` starts a process"))?;
    while let Some(caller) = caller(engine, &record).await? {
        if is_system(engine, &caller, root_process).await? {
            break;
        }
        record = caller;
    }
    Ok(record)
}

/// The root process, or one that it calls.
async fn is_system(
    engine: &EngineClient,
    record: &InstanceRecord,
    root_process: &str,
) -> Result<bool, EngineError> {
    let is_root = |record: &InstanceRecord| record.process_definition_key == root_process;
    Ok(is_root(record)
        || caller(engine, record)
            .await?
            .is_some_and(|caller| is_root(&caller)))
}

/// The instance that has called this one.
///
/// # Errors
/// As every call of the engine; a caller that the history has forgotten is none.
pub(crate) async fn caller(
    engine: &EngineClient,
    record: &InstanceRecord,
) -> Result<Option<InstanceRecord>, EngineError> {
    let Some(id) = &record.super_process_instance_id else {
        return Ok(None);
    };
    match engine.instance_record(id).await {
        Err(error) if error.is_not_found() => Ok(None),
        answer => answer.map(Some),
    }
}

/// What to say where no process has the key: the nearest keys that there are.
///
/// # Errors
/// As every call of the engine.
pub(crate) async fn unknown_process(
    engine: &EngineClient,
    key: &str,
    tenant: Option<&str>,
) -> Result<Trouble, EngineError> {
    let definitions = engine.latest_definitions(None).await?;
    let whose = tenant
        .map(|tenant| format!(" of tenant {tenant}"))
        .unwrap_or_default();
    if let Some(other) = definitions.iter().find(|definition| definition.key == key) {
        let remedy = match &other.tenant_id {
            Some(other) => format!("tenant {other} has one: --tenant {other}"),
            None => "there is one that belongs to no tenant: leave out --tenant".to_owned(),
        };
        return Ok(Trouble::no(format!("there is no process {key}{whose}; {remedy}")));
    }
    let of_tenant = definitions
        .into_iter()
        .filter(|definition| definition.tenant_id.as_deref() == tenant);
    let mut keys: Vec<String> = of_tenant.map(|definition| definition.key).collect();
    keys.dedup();
    let hint =
        hint(key, &keys).unwrap_or_else(|| "nothing is deployed; `procos deploy PATH` does that".to_owned());
    Ok(Trouble::no(format!("there is no process {key}{whose}; {hint}")))
}

/// `did you mean …`, or all there is where nothing is near; none where there is nothing.
pub(crate) fn hint(wanted: &str, known: &[String]) -> Option<String> {
    let mut ranked: Vec<_> = known
        .iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase()),
                name,
            )
        })
        .collect();
    ranked.sort();
    let near: Vec<_> = ranked
        .iter()
        .filter(|(distance, name)| *distance <= 1.max(wanted.chars().count() / 3) || name.contains(wanted))
        .take(3)
        .map(|(_, name)| name.as_str())
        .collect();
    if !near.is_empty() {
        return Some(format!("did you mean {}?", near.join(" or ")));
    }
    let some: Vec<_> = known.iter().take(10).map(String::as_str).collect();
    let more = if known.len() > some.len() { ", …" } else { "" };
    (!some.is_empty()).then(|| format!("there is {}{more}", some.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_offered_else_all_of_them() {
        let known = [
            "order-check".to_owned(),
            "order-cancel".to_owned(),
            "supplier".to_owned(),
        ];
        assert_eq!(hint("order-chek", &known).unwrap(), "did you mean order-check?");
        assert!(hint("shipping", &known).unwrap().starts_with("there is"));
        assert_eq!(
            hint("zzz", &known).unwrap(),
            "there is order-check, order-cancel, supplier"
        );
        assert_eq!(hint("zzz", &[]), None);
    }
}
