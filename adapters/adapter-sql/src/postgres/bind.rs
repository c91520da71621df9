//! Values for a statement's parameters, as the types that the server says they have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bigdecimal::BigDecimal;
use jiff::{Timestamp, civil};
use jiff_sqlx::ToSqlx;
use serde_json::Value as Json;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, PgTypeKind};
use sqlx::{Arguments, Encode, Postgres, Type, TypeInfo};
use uuid::Uuid;

/// All parameters of a statement.
///
/// # Errors
/// Where they are fewer or more than the statement takes, or one does not fit.
pub(crate) fn all(types: &[PgTypeInfo], given: &[Json]) -> Result<PgArguments, String> {
    if types.len() != given.len() {
        return Err(format!(
            "the statement takes {} parameters, and the input `parameters` has {}",
            types.len(),
            given.len()
        ));
    }
    let mut arguments = PgArguments::default();
    for (index, (kind, value)) in types.iter().zip(given).enumerate() {
        one(&mut arguments, kind, value)
            .map_err(|problem| format!("the input `parameters`: ${} {problem}", index + 1))?;
    }
    Ok(arguments)
}

fn one(arguments: &mut PgArguments, kind: &PgTypeInfo, value: &Json) -> Result<(), String> {
    if let PgTypeKind::Domain(inner) = kind.kind() {
        return one(arguments, inner, value);
    }
    let misfit = |why: String| format!("is of the type {} in the statement: {why}", kind.name());
    let added = match (kind.kind(), kind.name()) {
        (_, "JSON" | "JSONB") => arguments.add((!value.is_null()).then_some(value)),
        (_, "BOOL") => arguments.add(of(value, Json::as_bool, "true or false").map_err(misfit)?),
        (_, "INT2") => arguments.add(whole::<i16>(value).map_err(misfit)?),
        (_, "INT4") => arguments.add(whole::<i32>(value).map_err(misfit)?),
        (_, "INT8") => arguments.add(whole::<i64>(value).map_err(misfit)?),
        (_, "FLOAT4") => arguments.add(parsed::<f32>(value, "a number").map_err(misfit)?),
        (_, "FLOAT8") => arguments.add(parsed::<f64>(value, "a number").map_err(misfit)?),
        (_, "NUMERIC") => {
            arguments.add(parsed::<BigDecimal>(value, "a number, or one as text").map_err(misfit)?)
        }
        (_, "UUID") => arguments.add(parsed::<Uuid>(value, "a UUID as text").map_err(misfit)?),
        (_, "TIMESTAMPTZ") => arguments.add(
            parsed::<Timestamp>(value, "a moment such as 2026-11-26T09:00:00Z")
                .map_err(misfit)?
                .map(ToSqlx::to_sqlx),
        ),
        (_, "TIMESTAMP") => arguments.add(
            parsed::<civil::DateTime>(value, "a time such as 2026-11-26T09:00:00")
                .map_err(misfit)?
                .map(ToSqlx::to_sqlx),
        ),
        (_, "DATE") => arguments.add(
            parsed::<civil::Date>(value, "a date such as 2026-11-26")
                .map_err(misfit)?
                .map(ToSqlx::to_sqlx),
        ),
        (_, "TIME") => arguments.add(
            parsed::<civil::Time>(value, "a time such as 09:00:00")
                .map_err(misfit)?
                .map(ToSqlx::to_sqlx),
        ),
        (_, "BYTEA") => arguments.add(bytes(value).map_err(misfit)?),
        (_, "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "CITEXT") | (PgTypeKind::Enum(_), _) => {
            arguments.add(AsText(text(value), kind.clone()))
        }
        (PgTypeKind::Array(inner), _) => return array(arguments, inner, value),
        _ => {
            return Err(misfit(
                "values of that type are not sent; let the statement make it of text, as in CAST($1::text AS …)".to_owned(),
            ));
        }
    };
    added.map_err(|error| misfit(error.to_string()))
}

fn array(arguments: &mut PgArguments, inner: &PgTypeInfo, value: &Json) -> Result<(), String> {
    let misfit = |why: String| format!("is a list of {} in the statement: {why}", inner.name());
    let items = match value {
        Json::Null => None,
        Json::Array(items) => Some(items),
        _ => return Err(misfit("give a list".to_owned())),
    };
    fn each<T>(
        items: Option<&Vec<Json>>,
        read: impl Fn(&Json) -> Result<Option<T>, String>,
    ) -> Result<Option<Vec<Option<T>>>, String> {
        items.map(|items| items.iter().map(read).collect()).transpose()
    }
    let added = match inner.name() {
        "BOOL" => arguments.add(each(items, |it| of(it, Json::as_bool, "true or false")).map_err(misfit)?),
        "INT2" => arguments.add(each(items, whole::<i16>).map_err(misfit)?),
        "INT4" => arguments.add(each(items, whole::<i32>).map_err(misfit)?),
        "INT8" => arguments.add(each(items, whole::<i64>).map_err(misfit)?),
        "FLOAT8" => arguments.add(each(items, |it| parsed::<f64>(it, "a number")).map_err(misfit)?),
        "NUMERIC" => arguments.add(each(items, |it| parsed::<BigDecimal>(it, "a number")).map_err(misfit)?),
        "UUID" => arguments.add(each(items, |it| parsed::<Uuid>(it, "a UUID as text")).map_err(misfit)?),
        "TEXT" | "VARCHAR" => arguments.add(each(items, |it| Ok(text(it))).map_err(misfit)?),
        _ => {
            return Err(misfit(
                "lists of that type are not sent; let the statement make it of text, as in string_to_array($1, ',')::…"
                    .to_owned(),
            ));
        }
    };
    added.map_err(|error| misfit(error.to_string()))
}

/// Text, also where the column's type is one of the database's own that is written as text.
struct AsText(Option<String>, PgTypeInfo);

impl Type<Postgres> for AsText {
    fn type_info() -> PgTypeInfo {
        <String as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for AsText {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match &self.0 {
            Some(text) => <&str as Encode<Postgres>>::encode(text, buffer),
            None => Ok(IsNull::Yes),
        }
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.1.clone())
    }
}

fn of<T>(value: &Json, read: impl Fn(&Json) -> Option<T>, expected: &str) -> Result<Option<T>, String> {
    match value {
        Json::Null => Ok(None),
        value => read(value)
            .map(Some)
            .ok_or_else(|| format!("give {expected}, or null")),
    }
}

fn whole<T: TryFrom<i64>>(value: &Json) -> Result<Option<T>, String> {
    let read = |value: &Json| match value {
        Json::String(text) => text.trim().parse::<i64>().ok(),
        value => value.as_i64(),
    };
    of(
        value,
        |value| read(value).and_then(|number| T::try_from(number).ok()),
        "a whole number within its range",
    )
}

fn parsed<T: std::str::FromStr>(value: &Json, expected: &str) -> Result<Option<T>, String> {
    of(
        value,
        |value| match value {
            Json::String(text) => text.trim().parse().ok(),
            Json::Number(number) => number.to_string().parse().ok(),
            _ => None,
        },
        expected,
    )
}

fn bytes(value: &Json) -> Result<Option<Vec<u8>>, String> {
    of(value, |value| STANDARD.decode(value.as_str()?).ok(), "base64")
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
