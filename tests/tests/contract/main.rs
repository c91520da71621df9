//! What engine-client and worker-runtime rely on, tried on Camunda 7.24 (the project's own engine), on Operaton and on
//! the fake engine: the same cases on each. What differs between the real ones is said by name. Where the fake answers
//! otherwise than they do, the fake is wrong.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

/// Makes three tests of each case, one for each engine: `cargo test -p tests --test contract CASE::fake`. `case on
/// camunda fake` leaves an engine out; `alone case` has the engine for itself.
macro_rules! contract {
    (@tests $alone:literal $case:ident) => { contract!(@tests $alone $case camunda operaton fake); };
    (@tests $alone:literal $case:ident $($engine:ident)+) => {
        mod $case { $( contract!(@test $alone $case $engine); )+ }
    };
    (@test $alone:literal $case:ident camunda) => {
        #[tokio::test]
        async fn camunda() {
            super::$case(crate::subject::Subject::camunda($alone).await).await;
        }
    };
    (@test $alone:literal $case:ident operaton) => {
        #[tokio::test]
        async fn operaton() {
            let test = concat!("contract::", stringify!($case), "::operaton");
            if let Some(subject) = crate::subject::Subject::operaton($alone, test).await {
                super::$case(subject).await;
            }
        }
    };
    (@test $alone:literal $case:ident fake) => {
        #[tokio::test(start_paused = true)]
        async fn fake() {
            super::$case(crate::subject::Subject::fake()).await;
        }
    };
    () => {};
    (alone $case:ident $(on $($engine:ident)+)?; $($rest:tt)*) => {
        contract!(@tests true $case $($($engine)+)?);
        contract!($($rest)*);
    };
    ($case:ident $(on $($engine:ident)+)?; $($rest:tt)*) => {
        contract!(@tests false $case $($($engine)+)?);
        contract!($($rest)*);
    };
}

mod definitions;
mod deployments;
mod encodings;
mod engine;
mod errors;
mod fetching;
mod instances;
mod jobs;
mod locks;
mod messages;
mod models;
mod polling;
mod records;
mod reporting;
mod running;
mod scopes;
mod starts;
mod subject;
mod tasks;
mod values;
mod workers;
