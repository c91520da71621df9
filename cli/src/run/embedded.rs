//! What the program carries inside, so that it works away from its checkout.

use deploy::Bundle;

/// The processes that the system itself consists of.
#[must_use]
pub(crate) fn system_processes() -> Bundle {
    Bundle::embedded(
        "procos-system",
        &[
            (
                "root_orchestrator.bpmn",
                include_bytes!("../../../processes/system/root_orchestrator.bpmn"),
            ),
            (
                "general_process_handler.bpmn",
                include_bytes!("../../../processes/system/general_process_handler.bpmn"),
            ),
        ],
    )
}

/// The examples.
#[must_use]
pub(crate) fn examples() -> Bundle {
    Bundle::embedded(
        "procos-examples",
        &[
            (
                "order-check.bpmn",
                include_bytes!("../../../processes/examples/order-check.bpmn"),
            ),
            (
                "supplier-onboarding.bpmn",
                include_bytes!("../../../processes/examples/supplier-onboarding.bpmn"),
            ),
        ],
    )
}

/// Rates for one euro, by currency: made up for the examples.
pub(crate) const EXCHANGE_RATES: &str = include_str!("../../../processes/examples/data/exchange-rates.json");
