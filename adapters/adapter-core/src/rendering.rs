//! Rendering that can't make more bytes than it is allowed.
//!
//! The fuel of minijinja counts instructions, and one instruction can make any number of bytes: `x ~ x`,
//! `x|indent(99999999999)`. A failed allocation ends the process, so each step that makes bytes is charged for them
//! before it runs: the operators `~`, `+`, `*` and the slice become filters when the template is compiled, the
//! filters are wrapped, and what is written, also into a captured block or a macro, passes a formatter that counts.
//! This needs the instructions, thus minijinja's feature `unstable_machinery`: after an update of minijinja, the tests
//! of this crate tell whether it still holds.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use minijinja::machinery::{
    CompiledTemplate, Instruction, Instructions, TemplateConfig, Token, eval, make_string_output, tokenize,
};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value, context, escape_formatter,
    filters, functions,
};

/// Bytes that all steps of one rendering may make together.
pub(crate) const LARGEST_WORK: usize = 32 * 1024 * 1024;

/// Tokens of one `{{ }}` or `{% %}`: the compiler recurses over an expression and has a thread's stack for it.
const LONGEST_EXPRESSION: usize = 1000;

/// Each `elif` of a template; the compiler recurses over them, too.
const MOST_CASES: usize = 500;

/// Bytes that a constant expression may make while the template is compiled.
const LARGEST_CONSTANT: usize = 1024 * 1024;

/// Bytes that an item of a list or object takes besides its content.
const ITEM: usize = 64;

/// Levels that lists and objects may nest.
const DEEPEST: usize = 64;

/// What one rendering may still make.
#[derive(Clone)]
struct Budget(Arc<AtomicUsize>);

impl Budget {
    fn charge(&self, bytes: usize) -> Result<(), Error> {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .map(drop)
            .map_err(|_| too_much())
    }

    /// Charges for all that a value holds, a shared part as often as it is seen.
    fn charge_value(&self, value: &Value) -> Result<usize, Error> {
        self.walk(value, 0, &|value| {
            ITEM + value.as_str().map_or(0, str::len) + value.as_bytes().map_or(0, <[u8]>::len)
        })
    }

    /// Refuses a value that nests too deep: what shows, compares or drops it recurses.
    fn check_nesting(&self, value: Value) -> Result<Value, Error> {
        self.walk(&value, 0, &|_| 4)?;
        Ok(value)
    }

    fn walk(&self, value: &Value, depth: usize, cost: &dyn Fn(&Value) -> usize) -> Result<usize, Error> {
        if depth > DEEPEST {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("lists and objects nest more than {DEEPEST} levels"),
            ));
        }
        let own = cost(value);
        self.charge(own)?;
        let mut total = own;
        if matches!(
            value.kind(),
            ValueKind::Seq | ValueKind::Iterable | ValueKind::Map
        ) {
            for item in value.try_iter()? {
                if value.kind() == ValueKind::Map {
                    total += self.walk(&value.get_item(&item)?, depth + 1, cost)?;
                }
                total += self.walk(&item, depth + 1, cost)?;
            }
        }
        Ok(total)
    }
}

fn too_much() -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("its steps make more than {LARGEST_WORK} bytes of text and lists; give it less to repeat"),
    )
}

/// Counts what a value gives as text, and stops where the budget ends.
struct Meter<'a>(&'a Budget);

impl Write for Meter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.charge(text.len()).map_err(|_| fmt::Error)
    }
}

/// Renders a template with the names that it sees.
pub(crate) fn render(
    source: &str,
    names: Value,
    escape: AutoEscape,
    fuel: u64,
    recursion: usize,
) -> Result<String, Error> {
    let budget = Budget(Arc::new(AtomicUsize::new(LARGEST_WORK)));
    check_expressions(source)?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(fuel));
    environment.set_recursion_limit(recursion);
    environment.set_debug(true);
    bound(&mut environment, &budget);
    let by_default = escape.clone();
    let config = TemplateConfig {
        syntax_config: SyntaxConfig::default(),
        default_auto_escape: Arc::new(move |_| by_default.clone()),
    };
    let compiled = CompiledTemplate::new("template", source, &config)?;
    let instructions = metered(&compiled.instructions);
    let blocks = compiled
        .blocks
        .iter()
        .map(|(name, block)| (*name, metered(block)))
        .collect();
    let mut text = String::new();
    eval(
        &environment,
        &instructions,
        names,
        &blocks,
        &mut make_string_output(&mut text),
        escape,
    )?;
    Ok(text)
}

/// Refuses expressions that the compiler can't take: too long ones, and constant ones that it would calculate at once.
fn check_expressions(source: &str) -> Result<(), Error> {
    let mut cases = 0_usize;
    let (mut tokens, mut size, mut product, mut text, mut times) = (0_usize, 0_usize, 1_usize, false, false);
    // What can't be read is for the compiler to explain.
    for (token, span) in tokenize(source, false, SyntaxConfig::default()).map_while(Result::ok) {
        tokens += 1;
        cases += usize::from(matches!(token, Token::Ident("elif")));
        size += (span.end_offset - span.start_offset) as usize;
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => {
                (tokens, size, product, text, times) = (0, 0, 1, false, false);
            }
            // A name is no constant, so the constant expression ends here.
            Token::Ident(name)
                if !matches!(
                    name,
                    "true" | "false" | "none" | "True" | "False" | "None" | "and" | "or" | "not" | "in"
                ) =>
            {
                (size, product, text, times) = (0, 1, false, false);
            }
            Token::Str(_) | Token::String(_) | Token::BracketOpen | Token::ParenOpen => text = true,
            Token::Int(number) => {
                product = product.saturating_mul(usize::try_from(number).unwrap_or(usize::MAX).max(1));
            }
            Token::Int128(_) | Token::Float(_) => {}
            Token::Mul => times = true,
            Token::Pow => product = product.saturating_mul(usize::MAX),
            _ => {}
        }
        if cases > MOST_CASES {
            return Err(Error::new(
                ErrorKind::SyntaxError,
                format!("it has more than {MOST_CASES} `elif`; look the case up in an object"),
            ));
        }
        if tokens > LONGEST_EXPRESSION {
            return Err(Error::new(
                ErrorKind::SyntaxError,
                format!(
                    "line {} has an expression of more than {LONGEST_EXPRESSION} parts; split it with `set`",
                    span.start_line
                ),
            ));
        }
        if text && times && size.saturating_mul(product) > LARGEST_CONSTANT {
            return Err(too_much());
        }
    }
    Ok(())
}

/// The instructions with every step that makes bytes replaced by one that is charged for them.
fn metered<'a>(compiled: &Instructions<'a>) -> Instructions<'a> {
    let filter = |name, count| Instruction::ApplyFilter(name, Some(count), u8::MAX);
    let mut steps = Vec::new();
    let mut starts = Vec::new();
    let mut index = 0;
    while let Some(step) = compiled.get(index) {
        starts.push(steps.len() as u32);
        let replaced = match step {
            Instruction::EmitRaw(text) => {
                vec![
                    Instruction::LoadConst(Value::from_safe_string((*text).to_owned())),
                    Instruction::Emit,
                ]
            }
            Instruction::StringConcat => vec![filter("~", 2)],
            Instruction::Add => vec![filter("+", 2)],
            Instruction::Mul => vec![filter("*", 2)],
            Instruction::Slice => vec![filter("[:]", 4)],
            Instruction::BuildList(_) | Instruction::BuildTuple(_) | Instruction::BuildMap(_) => {
                vec![step.clone(), filter("nest", 1)]
            }
            Instruction::SetAttr(_) => {
                vec![
                    Instruction::Swap,
                    filter("nest", 1),
                    Instruction::Swap,
                    step.clone(),
                ]
            }
            _ => vec![step.clone()],
        };
        steps.extend(replaced.into_iter().map(|step| (step, index)));
        index += 1;
    }
    starts.push(steps.len() as u32);
    let moved = |target: u32| starts.get(target as usize).copied().unwrap_or(target);
    let mut result = Instructions::new(compiled.name(), compiled.source());
    for (mut step, origin) in steps {
        match &mut step {
            Instruction::Jump(target)
            | Instruction::Iterate(target)
            | Instruction::JumpIfFalse(target)
            | Instruction::JumpIfFalseOrPop(target)
            | Instruction::JumpIfTrueOrPop(target)
            | Instruction::BuildMacro(_, target, _) => *target = moved(*target),
            _ => {}
        }
        match (compiled.get_span(origin), compiled.get_line(origin)) {
            (Some(span), _) => result.add_with_span(step, span),
            (None, Some(line)) => result.add_with_line(step, u16::try_from(line).unwrap_or(u16::MAX)),
            (None, None) => result.add(step),
        };
    }
    result
}

/// Where the operators run once they are paid for: minijinja shows them only as expressions.
static OPERATORS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
});

fn operate(expression: &'static str, names: Value) -> Result<Value, Error> {
    OPERATORS.compile_expression(expression)?.eval(names)
}

/// Puts the charged operators, filters and functions in.
fn bound(environment: &mut Environment, budget: &Budget) {
    let paid = budget.clone();
    environment.set_formatter(move |out, state, value| {
        match value.as_str() {
            Some(text) => paid.charge(text.len())?,
            None if value.as_object().is_some() => {
                paid.charge_value(value)?;
                write!(Meter(&paid), "{value}").map_err(|_| too_much())?;
            }
            None => paid.charge(ITEM)?,
        }
        escape_formatter(out, state, value)
    });

    let paid = budget.clone();
    environment.add_filter("nest", move |value: Value| paid.check_nesting(value));
    let paid = budget.clone();
    environment.add_filter("~", move |a: Value, b: Value| {
        paid.charge_value(&a)?;
        paid.charge_value(&b)?;
        operate("a ~ b", context! { a, b })
    });
    let paid = budget.clone();
    environment.add_filter("+", move |a: Value, b: Value| {
        match (a.as_object().and(a.len()), b.as_object().and(b.len())) {
            _ if a.is_number() && b.is_number() => {}
            // Lists are joined without a copy, but for a long chain of them.
            (Some(a), Some(b)) => paid.charge(a.saturating_add(b).saturating_mul(4).saturating_add(ITEM))?,
            _ => {
                paid.charge_value(&a)?;
                paid.charge_value(&b)?;
            }
        }
        operate("a + b", context! { a, b })
    });
    let paid = budget.clone();
    environment.add_filter("*", move |a: Value, b: Value| {
        if !(a.is_number() && b.is_number()) {
            let size = paid.charge_value(&a)?.max(paid.charge_value(&b)?);
            let times = a.as_usize().or_else(|| b.as_usize()).unwrap_or(0);
            paid.charge(size.saturating_mul(times))?;
        }
        operate("a * b", context! { a, b })
    });
    let paid = budget.clone();
    environment.add_filter("[:]", move |v: Value, a: Value, b: Value, c: Value| {
        paid.charge_value(&v)?;
        operate("v[a:b:c]", context! { v, a, b, c })
    });

    macro_rules! charged {
        ($($name:ident)*) => { $( charge(environment, budget, stringify!($name), Value::from_function(filters::$name)); )* };
    }
    charged!(escape lower upper title capitalize replace dictsort items reverse trim join split lines sort list string
        batch slice sum indent select reject selectattr rejectattr map groupby unique chain zip format tojson min max);
    charge(environment, budget, "e", Value::from_function(filters::escape));
    for (name, function) in [
        ("dict", Value::from_function(functions::dict)),
        ("namespace", Value::from_function(functions::namespace)),
    ] {
        let paid = budget.clone();
        environment.add_function(name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
            let args = args.into_values();
            args.iter()
                .try_for_each(|value| paid.charge_value(value).map(drop))?;
            function.call(state, &args)
        });
    }
    // They show the inside of values and of the engine, at any length; `tojson` shows a value.
    environment.remove_filter("pprint");
    environment.remove_global("debug");
}

fn charge(environment: &mut Environment, budget: &Budget, name: &'static str, filter: Value) {
    let budget = budget.clone();
    environment.add_filter(name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
        let args = args.into_values();
        let mut size = 0_usize;
        for value in &args {
            size = size.saturating_add(budget.charge_value(value)?);
        }
        budget.charge(growth(name, &args, size))?;
        filter.call(state, &args)
    });
}

/// Bytes that a filter may make beyond the size of what it is given.
fn growth(name: &str, args: &[Value], size: usize) -> usize {
    let text = |index: usize| args.get(index).and_then(Value::as_str);
    let number = |name: &str| {
        let named = args
            .last()
            .and_then(|last| last.get_attr(name).ok())
            .and_then(|value| value.as_usize());
        args.get(1).and_then(Value::as_usize).or(named).unwrap_or(0)
    };
    let first = text(0).unwrap_or_default();
    match name {
        "indent" => number("width").saturating_mul(first.matches('\n').count() + 2),
        "tojson" => number("indent").saturating_mul(size),
        "batch" | "slice" => number("count").saturating_mul(ITEM),
        "lines" => first.matches('\n').count().saturating_mul(ITEM),
        "split" => match text(1) {
            Some(separator) => first.matches(separator).count().saturating_mul(ITEM),
            None => first.split_whitespace().count().saturating_mul(ITEM),
        },
        "replace" => {
            let found = text(1).map_or(0, |from| first.matches(from).count());
            found.saturating_mul(args.get(2).map_or(0, |to| to.to_string().len()))
        }
        "join" => {
            let joiner = args.get(1).map_or(0, |joiner| joiner.to_string().len());
            joiner.saturating_mul(size / ITEM + first.len())
        }
        "format" => first
            .split(|letter: char| !letter.is_ascii_digit())
            .filter(|digits| !digits.is_empty())
            .fold(0_usize, |sum, digits| {
                sum.saturating_add(digits.parse().unwrap_or(usize::MAX))
            }),
        _ => 0,
    }
}
