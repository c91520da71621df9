//! The expression language: what is read, and what passes.
#![allow(clippy::unwrap_used, reason = "test code")]

use bpmn::juel::{self, Kind, MAX_DEPTH, MAX_LINKS, Part};
use bpmn::policy;
use proptest::prelude::*;

/// The codes of what does not pass.
fn codes(text: &str) -> Vec<&'static str> {
    match juel::parse(text) {
        Ok(template) => policy::refusals(&template)
            .iter()
            .map(|it| it.code.code)
            .collect(),
        Err(_) => vec!["expression-syntax"],
    }
}

#[test]
fn what_reads_data_passes() {
    for text in [
        "plain",
        "a ${x} b #{y}",
        "${order.total}",
        "${order['total']}",
        "${orders[0].lines[1].price}",
        "${a.b.c == 'x' and not empty d or e ne null}",
        "${x lt 1 || x gt 2 && x le 3 || x ge 4 || x eq 5 || x != 6}",
        "${(x + 1) * 2 - 3 / 4 div 5 % 6 mod 7}",
        "${-x}${!x}${empty x}",
        "${x ? 'a' : y ? \"b\" : c}",
        "${1.5e3 + .5 + 2.}",
        "${'it\\'s'}",
        "\\${x.getClass()}",
        "\\#{x.getClass()}",
        "$ { # x",
        "${execution.hasVariable('x') && execution.getVariable(name) > 1}",
        "${execution.businessKey}${execution.processInstanceId}${execution.getProcessBusinessKey()}${execution.id}",
        "${externalTask.errorMessage.contains('timeout')}",
        "${externalTask.getErrorDetails() == null}",
        "${S(order).prop('lines').elements().size() > 0}",
        "${JSON(text).jsonPath('$.a').stringValue()}",
        "${order.prop('a').numberValue() == 1 && order.hasProp('b') && order.prop('c').boolValue()}",
        "${dateTime().plusDays(3).withHourOfDay(9).toDate()}",
        "${now()}",
        "${now().getTime()}",
        "${currentUser()}",
        "${name.trim().toLowerCase().startsWith('a') && list.isEmpty() && list.contains(x) && s.length() > 2}",
        "${s.equals('x') || s.endsWith('y') || s.toUpperCase() == 'Z'}",
        "${task.title}",
        "${größe > 1}",
        // A variable may be called as it likes.
        "${class}",
    ] {
        assert_eq!(codes(text), [""; 0], "{text}");
    }
}

#[test]
fn all_else_is_refused_with_its_reason() {
    for (text, code) in [
        ("${x.getClass()}", "expression-forbidden-name"),
        ("${x.class}", "expression-forbidden-name"),
        ("${x['class']}", "expression-forbidden-name"),
        ("${x['Class']}", "expression-forbidden-name"),
        ("${x[\"getClass\"]()}", "expression-forbidden-name"),
        ("${x.a.classLoader.b}", "expression-forbidden-name"),
        ("${''.class.forName('java.lang.Runtime')}", "expression-call"),
        ("#{bean.run()}", "expression-call"),
        ("${bean.run(x)}", "expression-call"),
        ("text ${bean.run()} text", "expression-call"),
        ("${a ? b : bean.run()}", "expression-call"),
        ("${x == bean.run()}", "expression-call"),
        ("${!bean.run()}", "expression-call"),
        ("${list.contains(bean.run())}", "expression-call"),
        ("${x[key]}", "expression-computed-key"),
        ("${x['cl' + 'ass']}", "expression-computed-key"),
        ("${x[true ? 'class' : 'a']}", "expression-computed-key"),
        ("${x[key]()}", "expression-computed-key"),
        ("${execution}", "expression-engine-object"),
        ("${execution.setVariable('a', 1)}", "expression-engine-object"),
        ("${execution.getVariable('a' + b)}", "expression-engine-object"),
        ("${execution.variables}", "expression-engine-object"),
        (
            "${execution['processEngineServices']}",
            "expression-forbidden-name",
        ),
        (
            "${execution.processEngineServices.runtimeService}",
            "expression-forbidden-name",
        ),
        (
            "${execution.getProcessEngineServices()}",
            "expression-forbidden-name",
        ),
        ("${(execution).setVariable('a', 1)}", "expression-engine-object"),
        ("${x ? execution : y}", "expression-engine-object"),
        ("${task.execution.activity}", "expression-engine-object"),
        ("${task['processDefinition'].x}", "expression-engine-object"),
        ("${externalTask.topicName}", "expression-engine-object"),
        ("${externalTask.setRetries(3)}", "expression-engine-object"),
        (
            "${task.delegateExecution.processEngineServices}",
            "expression-forbidden-name",
        ),
        ("${order.prop('a', 1)}", "expression-call"),
        ("${order.mapTo('java.lang.Object')}", "expression-call"),
        ("${order.deleteProp('a')}", "expression-call"),
        ("${XML(text)}", "expression-call"),
        ("${S(text, 'application/xml')}", "expression-call"),
        ("${x.plusDays(1)}", "expression-call"),
        ("${dateTime().getZone()}", "expression-call"),
        ("${x.wait()}", "expression-call"),
        ("${ns:f(x)}", "expression-call"),
        ("${f()}", "expression-call"),
        ("${systemEnvironment['PATH']}", "expression-bean"),
        ("${dataSource.url}", "expression-bean"),
        ("${runtimeService}", "expression-bean"),
        ("${processEngine.name}", "expression-bean"),
        ("${x instanceof y}", "expression-syntax"),
        ("\\\\${x.getClass()}${y.getClass()}", "expression-forbidden-name"),
        ("${'}' + x.run()}", "expression-call"),
    ] {
        assert!(codes(text).contains(&code), "{text}: {:?}", codes(text));
    }
}

#[test]
fn what_is_no_expression_is_said_with_its_place() {
    for (text, place) in [
        ("${", 2..2),
        ("${}", 2..3),
        ("${x", 3..3),
        ("${x y}", 4..5),
        ("${a > }", 6..7),
        ("${'a}", 2..3),
        ("${x.}", 4..5),
        ("${x.empty}", 4..9),
        ("${f(a,)}", 6..7),
        ("${a ? b}", 7..8),
        ("é ${x @ y}", 7..8),
        ("${(a}", 4..5),
        ("${a[1}", 5..6),
        ("${'\\n'}", 3..4),
    ] {
        let error = juel::parse(text).unwrap_err();
        assert_eq!(
            (error.span, error.limit),
            (place, false),
            "{text}: {}",
            error.message
        );
    }
}

/// Binding, by brackets around each operation.
#[test]
fn operators_bind_as_the_engine_has_it() {
    fn show(it: &juel::Expr) -> String {
        match &it.kind {
            Kind::Integer(value) | Kind::Variable(value) => value.clone(),
            Kind::Unary(operator, operand) => format!("{operator:?}({})", show(operand)),
            Kind::Binary(operator, left, right) => format!("({} {operator:?} {})", show(left), show(right)),
            Kind::Ternary(a, b, c) => format!("({} ? {} : {})", show(a), show(b), show(c)),
            Kind::Function(name, arguments) => format!("{name}/{}", arguments.len()),
            Kind::Property(base, name) => format!("{}.{name}", show(base)),
            other => format!("{other:?}"),
        }
    }
    for (text, expected) in [
        ("a or b and c", "(a Or (b And c))"),
        ("a == b < c", "(a Equal (b Less c))"),
        ("a + b * c - d", "((a Add (b Multiply c)) Subtract d)"),
        ("a - b - c", "((a Subtract b) Subtract c)"),
        ("not a and b", "(Not(a) And b)"),
        ("empty a.b", "Empty(a.b)"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a ? b:c", "(a ? b : c)"),
        ("a ? b:c(1)", "b:c/1"),
        ("x:f(1, 2)", "x:f/2"),
        ("-a * b", "(Negative(a) Multiply b)"),
    ] {
        match juel::parse_bare(text) {
            Ok(it) => assert_eq!(show(&it), expected, "{text}"),
            // `b:c(` is a function's name, so that the ternary has no other half; so it is for the engine.
            Err(_) => assert_eq!(text, "a ? b:c(1)"),
        }
    }
}

/// Properties, entries, methods, functions and variables.
fn count(it: &juel::Expr, parts: &mut [usize; 5]) {
    let mut all: Vec<&juel::Expr> = Vec::new();
    match &it.kind {
        Kind::Property(base, _) => {
            parts[0] += 1;
            all.push(base);
        }
        Kind::Index(base, key) => {
            parts[1] += 1;
            all.extend([&**base, key]);
        }
        Kind::Method(base, _, arguments) => {
            parts[0] += 1;
            parts[2] += 1;
            all.push(base);
            all.extend(arguments);
        }
        Kind::IndexedMethod(base, key, arguments) => {
            parts[1] += 1;
            parts[2] += 1;
            all.extend([&**base, key]);
            all.extend(arguments);
        }
        Kind::Function(_, arguments) => {
            parts[3] += 1;
            all.extend(arguments);
        }
        Kind::Variable(_) => parts[4] += 1,
        Kind::Unary(_, operand) => all.push(operand),
        Kind::Binary(_, left, right) => all.extend([&**left, right]),
        Kind::Ternary(condition, one, other) => all.extend([&**condition, one, other]),
        _ => {}
    }
    all.into_iter().for_each(|it| count(it, parts));
}

#[test]
fn texts_are_read_as_the_engines_parser_reads_them() {
    let table = include_str!("files/juel.txt");
    let mut agreed = 0;
    for line in table.lines().filter(|it| !it.starts_with("# ")) {
        let (expected, text) = line.split_once('|').unwrap();
        let read = match juel::parse(text) {
            Ok(template) => {
                let mut parts = [0; 5];
                template.expressions().for_each(|it| count(it, &mut parts));
                format!("{parts:?}")
            }
            Err(_) => "no".to_owned(),
        };
        assert_eq!(read, expected, "{text}");
        agreed += 1;
    }
    assert!(agreed > 600, "{agreed}");
}

#[test]
fn escapes_are_those_of_the_engine() {
    let plain = |text: &str| match juel::parse(text).unwrap().parts.as_slice() {
        [Part::Text(text)] => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(plain("\\${a}"), "${a}");
    assert_eq!(plain("\\\\${a}"), "\\${a}");
    assert_eq!(plain("a\\b\\"), "a\\b\\");
    assert_eq!(plain("$"), "$");
    assert!(!juel::is_dynamic("\\${a}") && juel::is_dynamic("x #{a}") && !juel::is_dynamic("$a #b"));
}

#[test]
fn depth_and_length_are_limited() {
    let nested = |depth: usize| format!("${{{}1{}}}", "(".repeat(depth), ")".repeat(depth));
    assert!(juel::parse(&nested(MAX_DEPTH - 1)).is_ok());
    assert!(juel::parse(&nested(MAX_DEPTH)).unwrap_err().limit);
    let chain = |links: usize| format!("${{a{}}}", " or a".repeat(links));
    assert!(juel::parse(&chain(MAX_LINKS)).is_ok());
    assert!(juel::parse(&chain(MAX_LINKS + 1)).unwrap_err().limit);
    for deep in [
        "-", "!", "a.", "a[", "f(", "a?", "a?b:", "not ", "(", "['a']", ".a", "empty ", "+a",
    ] {
        let text = format!("${{a{}", deep.repeat(100_000));
        assert!(juel::parse(&text).is_err(), "{deep}");
        let text = format!("${{{}", deep.repeat(100_000));
        assert!(juel::parse(&text).is_err(), "{deep}");
    }
}

const SOUP: &[&str] = &[
    "${",
    "#{",
    "}",
    "\\",
    "a",
    "b.c",
    "'",
    "\"",
    "'x'",
    "1",
    "1.5",
    "e",
    ".",
    "[",
    "]",
    "(",
    ")",
    ",",
    "?",
    ":",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "=",
    "==",
    "<",
    ">=",
    "&&",
    "|",
    " and ",
    " or ",
    " not ",
    " empty ",
    " eq ",
    " instanceof ",
    " mod ",
    "true",
    "null",
    "é",
    "\u{1f600}",
    " ",
    "\n",
    "getClass",
    "execution",
    "S",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn any_text_does_no_harm(text in ".{0,60}") {
        harmless(&text)?;
    }

    #[test]
    fn any_words_do_no_harm(words in proptest::collection::vec(proptest::sample::select(SOUP), 0..40)) {
        harmless(&words.concat())?;
        harmless(&format!("${{{}}}", words.concat()))?;
    }

    /// Whatever stands around a forbidden call, it is found.
    #[test]
    fn a_call_is_found_wherever_it_stands(around in proptest::collection::vec(proptest::sample::select(&[
        ("(", ")"), ("-", ""), ("!", ""), ("empty ", ""), ("a + ", ""), ("", " * b"), ("a ? ", " : b"), ("a ? b : ", ""),
        ("", " ? a : b"), ("list.contains(", ")"), ("S(", ")"), ("", ".trim()"), ("", ".name"), ("", "['name']"),
        ("", "[0]"), ("x == ", ""), ("", " and y"), ("dateTime().plusDays(", ").toDate()"), ("'a}' == ", ""),
    ][..]), 0..8)) {
        let mut text = "bean.run()".to_owned();
        for (before, after) in around {
            text = format!("{before}({text}){after}");
        }
        for text in [format!("${{{text}}}"), format!("a #{{b}} ${{ {text} }} c")] {
            prop_assert!(codes(&text).contains(&"expression-call"), "{} {:?}", text, codes(&text));
        }
    }
}

/// What holds for every text: an answer, whose places lie in the text.
fn harmless(text: &str) -> Result<(), TestCaseError> {
    match juel::parse(text) {
        Ok(template) => {
            prop_assert_eq!(template.is_literal(), !juel::is_dynamic(text));
            for refusal in policy::refusals(&template) {
                prop_assert!(
                    text.get(refusal.span.clone()).is_some_and(|it| !it.is_empty()),
                    "{:?}",
                    refusal
                );
            }
        }
        Err(error) => prop_assert!(text.get(error.span.clone()).is_some(), "{:?} {:?}", text, error),
    }
    Ok(())
}
