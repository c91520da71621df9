//! Rows as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bigdecimal::BigDecimal;
use serde_json::{Map, Value as Json};
use sqlx::postgres::{PgRow, PgTypeInfo, PgTypeKind, PgValueRef};
use sqlx::{Column, Decode, Postgres, Row, TypeInfo, ValueRef};
use uuid::Uuid;

/// A row: its columns by name, of which the last counts where two have the same.
///
/// # Errors
/// Where a column's type is none that is read.
pub(crate) fn row(row: &PgRow) -> Result<Map<String, Json>, sqlx::Error> {
    let mut read = Map::new();
    for column in row.columns() {
        let value = row.try_get_raw(column.ordinal())?;
        let json = one(value, column.type_info()).map_err(|source| sqlx::Error::ColumnDecode {
            index: format!("`{}` of the type {}", column.name(), column.type_info()),
            source,
        })?;
        read.insert(column.name().to_owned(), json);
    }
    Ok(read)
}

type Read = Result<Json, sqlx::error::BoxDynError>;

fn one(value: PgValueRef<'_>, kind: &PgTypeInfo) -> Read {
    if value.is_null() {
        return Ok(Json::Null);
    }
    match kind.kind() {
        PgTypeKind::Domain(inner) => return one(value, inner),
        PgTypeKind::Enum(_) => return Ok(value.as_str()?.into()),
        _ => {}
    }
    Ok(match kind.name() {
        "BOOL" => to::<bool>(value)?.into(),
        "INT2" => to::<i16>(value)?.into(),
        "INT4" => to::<i32>(value)?.into(),
        "INT8" => to::<i64>(value)?.into(),
        "FLOAT4" => float(to::<f32>(value)?.into()),
        "FLOAT8" => float(to::<f64>(value)?),
        "NUMERIC" => plain(&to::<BigDecimal>(value)?).into(),
        "UUID" => to::<Uuid>(value)?.to_string().into(),
        "TIMESTAMPTZ" => to::<jiff_sqlx::Timestamp>(value)?.to_jiff().to_string().into(),
        "TIMESTAMP" => to::<jiff_sqlx::DateTime>(value)?.to_jiff().to_string().into(),
        "DATE" => to::<jiff_sqlx::Date>(value)?.to_jiff().to_string().into(),
        "TIME" => to::<jiff_sqlx::Time>(value)?.to_jiff().to_string().into(),
        "JSON" | "JSONB" => to::<Json>(value)?,
        "BYTEA" => STANDARD.encode(to::<&[u8]>(value)?).into(),
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "CITEXT" | "UNKNOWN" | "\"CHAR\"" => to::<&str>(value)?.into(),
        "VOID" => Json::Null,
        "BOOL[]" => list(to::<Vec<Option<bool>>>(value)?),
        "INT2[]" => list(to::<Vec<Option<i16>>>(value)?),
        "INT4[]" => list(to::<Vec<Option<i32>>>(value)?),
        "INT8[]" => list(to::<Vec<Option<i64>>>(value)?),
        "FLOAT8[]" => list(to::<Vec<Option<f64>>>(value)?),
        "TEXT[]" | "VARCHAR[]" => list(to::<Vec<Option<String>>>(value)?),
        "UUID[]" => {
            let items = to::<Vec<Option<Uuid>>>(value)?;
            list(items.into_iter().map(|it| it.map(|it| it.to_string())).collect())
        }
        "NUMERIC[]" => {
            let items = to::<Vec<Option<BigDecimal>>>(value)?;
            list(items.into_iter().map(|it| it.map(|it| plain(&it))).collect())
        }
        _ => return Err("it is a type that is not read".into()),
    })
}

/// Without the zeros at its end that only the way here has added.
fn plain(number: &BigDecimal) -> String {
    number.normalized().to_plain_string()
}

fn to<'r, T: Decode<'r, Postgres>>(value: PgValueRef<'r>) -> Result<T, sqlx::error::BoxDynError> {
    T::decode(value)
}

/// JSON has no infinities; they stay visible.
fn float(number: f64) -> Json {
    serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Json::Number)
}

fn list<T: Into<Json>>(items: Vec<Option<T>>) -> Json {
    items
        .into_iter()
        .map(|item| item.map_or(Json::Null, Into::into))
        .collect()
}
