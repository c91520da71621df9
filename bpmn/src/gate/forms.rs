//! Camunda Forms: the engine keeps them and evaluates nothing; they have to be readable.

use diagnostics::Diagnostic;

use crate::form::Form;

pub(super) fn check(file: &str, bytes: &[u8], findings: &mut Vec<Diagnostic>) {
    let (_, mistakes) = Form::read(file, bytes);
    findings.extend(mistakes);
}
