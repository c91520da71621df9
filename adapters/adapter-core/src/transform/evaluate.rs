//! What a filter makes of a value.

use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Exn, Vars, compile};
use jaq_json::{Val, read};
use serde_json::Value as Json;

use super::{Inputs, LARGEST, Reply};

/// Runs the filter to its end. Nothing bounds that here.
pub(super) fn evaluate(inputs: &Inputs) -> Reply {
    if let Some(name) = inputs.arguments.keys().find(|name| !is_name(name)) {
        return Reply::Wrong(format!(
            "cannot name the argument `{name}`; take letters, digits and underscores, no digit first"
        ));
    }
    let code = inputs.filter.as_str();
    let names: Vec<String> = inputs.arguments.keys().map(|name| format!("${name}")).collect();
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = match Loader::new(definitions).load(&arena, File { code, path: () }) {
        Ok(modules) => modules,
        Err(errors) => return Reply::Wrong(unreadable(code, &errors)),
    };
    let filter = Compiler::<_, JustLut<Val>>::default()
        .with_funs(functions)
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules);
    let filter = match filter {
        Ok(filter) => filter,
        Err(errors) => return Reply::Wrong(undefined(code, &errors)),
    };
    let arguments = inputs.arguments.values().map(value);
    let context = Ctx::<JustLut<Val>>::new(&filter.lut, Vars::new(arguments));
    let mut results = Vec::new();
    let mut size = 0;
    for result in filter.id.run((context, value(&inputs.value))) {
        let result = match result.map_err(Exn::get_err) {
            Ok(result) => result.to_string(),
            Err(Ok(error)) => return failed(error),
            Err(Err(other)) => match other.get_halt() {
                Ok(0) => break,
                halted => {
                    let how = halted
                        .map(|status| format!(" with status {status}"))
                        .unwrap_or_default();
                    return Reply::Failed {
                        message: format!("the filter halts{how}"),
                        value: Json::Null,
                    };
                }
            },
        };
        size += result.len();
        if size > LARGEST {
            let message = format!("the filter gives more than {LARGEST} bytes");
            return Reply::Failed {
                message,
                value: Json::Null,
            };
        }
        match serde_json::from_str(&result) {
            Ok(result) => results.push(result),
            Err(error) => {
                let message = format!("the filter gives what JSON does not have: {error}");
                return Reply::Failed {
                    message,
                    value: Json::Null,
                };
            }
        }
        if results.len() > 1 && !inputs.many {
            let message =
                "the filter gives more than one result; put it in `[…]`, or set the input `many`".to_owned();
            return Reply::Failed {
                message,
                value: Json::Null,
            };
        }
    }
    match (inputs.many, results.pop()) {
        (false, Some(result)) => Reply::Result(result),
        (false, None) => Reply::Failed {
            message: "the filter gives no result".to_owned(),
            value: Json::Null,
        },
        (true, last) => {
            results.extend(last);
            Reply::Result(results.into())
        }
    }
}

fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// As jaq keeps it: numbers as they are written, however many digits they have.
fn value(json: &Json) -> Val {
    // What serde_json writes is JSON.
    read::parse_single(json.to_string().as_bytes()).unwrap_or_default()
}

/// What the filter throws: `error("text")`, an object, or what an operator has against a value.
fn failed(error: jaq_json::Error) -> Reply {
    let message = error.to_string();
    let value = serde_json::from_str(&error.into_val().to_string()).unwrap_or_default();
    let message = match &value {
        Json::String(text) => text.clone(),
        Json::Object(fields) => match fields.get("message") {
            Some(Json::String(text)) => text.clone(),
            _ => message,
        },
        _ => message,
    };
    Reply::Failed { message, value }
}

fn unreadable(code: &str, errors: &load::Errors<&str, ()>) -> String {
    let (part, expected) = match errors.first().map(|(_, error)| error) {
        Some(load::Error::Lex(errors)) => match errors.first() {
            // Its name of a bracket that is missing breaks off where that is none of two.
            Some((load::lex::Expect::Delim(open), part)) => (*part, format!("the end of `{open}`")),
            Some((load::lex::Expect::Digit, part)) => (*part, "a digit".to_owned()),
            Some((load::lex::Expect::Ident, part)) => (*part, "a name".to_owned()),
            Some((expected, part)) => (*part, expected.as_str().to_owned()),
            None => (code, "a filter".to_owned()),
        },
        Some(load::Error::Parse(errors)) => match errors.first() {
            Some((expected, part)) => (*part, expected.as_str().to_owned()),
            None => (code, "a filter".to_owned()),
        },
        Some(load::Error::Io(errors)) => match errors.first() {
            Some((part, _)) => return format!("{}: there are no modules to import", place(code, part)),
            None => (code, "a filter".to_owned()),
        },
        None => (code, "a filter".to_owned()),
    };
    let found = match part.chars().next() {
        None => "its end".to_owned(),
        Some(_) => format!("`{}`", part.chars().take(20).collect::<String>()),
    };
    format!("{}: expected {expected}, found {found}", place(code, part))
}

fn undefined(code: &str, errors: &compile::Errors<&str, ()>) -> String {
    match errors.iter().flat_map(|(_, errors)| errors).next() {
        Some((name, what)) => format!("{}: there is no {} `{name}`", place(code, name), what.as_str()),
        None => "cannot be compiled".to_owned(),
    }
}

/// Line and column of a part of the code, in characters from 1 on.
fn place(code: &str, part: &str) -> String {
    let start = (part.as_ptr() as usize).saturating_sub(code.as_ptr() as usize);
    let before = code.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "test code")]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(value: Json, filter: &str) -> Reply {
        given(json!({"value": value, "filter": filter}))
    }

    fn given(inputs: Json) -> Reply {
        evaluate(&serde_json::from_value(inputs).unwrap())
    }

    fn result(value: Json, filter: &str) -> Json {
        match run(value, filter) {
            Reply::Result(result) => result,
            other => panic!("{filter}: {other:?}"),
        }
    }

    fn wrong(filter: &str) -> String {
        match run(json!({}), filter) {
            Reply::Wrong(problem) => problem,
            other => panic!("{filter}: {other:?}"),
        }
    }

    #[test]
    fn a_filter_speaks_jq() {
        let order = json!({"lines": [{"item": "desk", "price": 10.5, "amount": 2}, {"item": "lamp", "price": 7, "amount": 1}]});
        for (filter, wanted) in [
            (".lines | map(.price * .amount) | add", json!(28.0)),
            ("[.lines[] | select(.price > 8) | .item]", json!(["desk"])),
            (
                ".lines | group_by(.amount) | map({key: (.[0].amount | tostring), value: length}) | from_entries",
                json!({"1": 1, "2": 1}),
            ),
            (
                ".lines |= map(del(.price))",
                json!({"lines": [{"item": "desk", "amount": 2}, {"item": "lamp", "amount": 1}]}),
            ),
            ("[paths(type == \"number\")] | length", json!(4)),
            ("\"\\(.lines[0].item) x\\(.lines[0].amount)\"", json!("desk x2")),
            (
                "[.lines[].item] | join(\", \") | ascii_upcase | test(\"DESK\")",
                json!(true),
            ),
            (
                "\"2026-11-27T10:00:00Z\" | fromdate | strftime(\"%d.%m.%Y\")",
                json!("27.11.2026"),
            ),
            ("reduce range(5) as $n (0; . + $n)", json!(10)),
            (".lines[0] as {item: $name} | $name", json!("desk")),
            ("try error(\"x\") catch .", json!("x")),
            ("def twice(f): f | f; 3 | twice(. * 2)", json!(12)),
        ] {
            assert_eq!(result(order.clone(), filter), wanted, "{filter}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let number = json!({"id": 9_007_199_254_740_993_i64, "price": 0.1});
        assert_eq!(result(number.clone(), "."), number);
    }

    #[test]
    fn arguments_are_variables() {
        let reply = given(
            json!({"value": [1, 2], "filter": "map(. * $rate) + [$name]", "arguments": {"name": "x", "rate": 3}}),
        );
        assert_eq!(reply, Reply::Result(json!([3, 6, "x"])));
        let reply = given(json!({"value": 1, "filter": ".", "arguments": {"not a name": 1}}));
        assert!(
            matches!(&reply, Reply::Wrong(problem) if problem.contains("`not a name`")),
            "{reply:?}"
        );
    }

    #[test]
    fn one_result_or_a_list_of_them() {
        let many = |filter: &str| given(json!({"value": [1, 2], "filter": filter, "many": true}));
        assert_eq!(many(".[]"), Reply::Result(json!([1, 2])));
        assert_eq!(many("empty"), Reply::Result(json!([])));
        for (filter, problem) in [(".[]", "more than one"), ("empty", "no result")] {
            let reply = run(json!([1, 2]), filter);
            assert!(
                matches!(&reply, Reply::Failed { message, .. } if message.contains(problem)),
                "{reply:?}"
            );
        }
    }

    #[test]
    fn what_is_no_filter_is_told_with_its_place() {
        for (filter, problem) in [
            (".a |", "line 1, column 5: expected term, found its end"),
            (
                "1 |\n  (2",
                "line 2, column 5: expected the end of `(`, found its end",
            ),
            ("nothing", "line 1, column 1: there is no filter `nothing`"),
            ("1 +\n$x", "line 2, column 1: there is no variable `$x`"),
            ("1 § 2", "line 1, column 3: expected token, found `§ 2`"),
            ("include \"a\"; .", "there are no modules to import"),
            ("", "line 1, column 1: expected term, found its end"),
        ] {
            let said = wrong(filter);
            assert!(said.contains(problem), "{filter}: {said}");
        }
    }

    #[test]
    fn what_a_filter_throws_is_told() {
        for (filter, message, value) in [
            ("error(\"too much\")", "too much", json!("too much")),
            (
                "error({message: \"too much\", limit: 3})",
                "too much",
                json!({"message": "too much", "limit": 3}),
            ),
            (
                ".a.b",
                "cannot index 1 with \"b\"",
                json!("cannot index 1 with \"b\""),
            ),
        ] {
            let message = message.to_owned();
            assert_eq!(
                run(json!({"a": 1}), filter),
                Reply::Failed { message, value },
                "{filter}"
            );
        }
        let halted = run(json!(1), "halt(3)");
        assert!(
            matches!(&halted, Reply::Failed { message, .. } if message.contains("status 3")),
            "{halted:?}"
        );
        assert!(matches!(run(json!(1), "1, halt"), Reply::Result(_)));
    }

    #[test]
    fn what_json_does_not_have_is_told() {
        let Reply::Failed { message, .. } = run(json!(1), "{(1): 2}") else {
            panic!()
        };
        assert!(message.contains("JSON"), "{message}");
    }
}
