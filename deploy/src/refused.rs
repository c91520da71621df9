//! A refusal of the engine, as findings.
