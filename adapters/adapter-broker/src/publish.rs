//! Publishes one message and waits until the broker answers for it.

use lapin::options::BasicPublishOptions;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::{Channel, Confirmation, ErrorKind};
use tokio::time::timeout;
use worker_api::{Answer, BpmnError, Failure, Outcome, TaskContext, TaskError};

use crate::inputs::Inputs;
use crate::link::Broker;
use crate::message::{Outgoing, short};

/// The BPMN error of an exchange that is not there.
pub(crate) const NO_EXCHANGE: &str = "EXCHANGE_NOT_FOUND";

/// The BPMN error of a message that no queue gets.
pub(crate) const UNROUTABLE: &str = "MESSAGE_UNROUTABLE";

/// The BPMN error of a message that the broker does not take, or the operator does not let out.
pub(crate) const REFUSED: &str = "MESSAGE_REFUSED";

/// Publishes what a task says.
pub(crate) async fn publish(inputs: &Inputs, broker: &Broker, context: &TaskContext) -> Outcome {
    let allowed = &broker.settings.exchanges;
    if !allowed.is_empty() && !allowed.contains(&inputs.exchange) {
        return Err(BpmnError::new(
            REFUSED,
            format!(
                "tasks may not publish to the exchange `{}`; add it to {}.exchanges if they may",
                inputs.exchange,
                broker.place()
            ),
        )
        .into());
    }
    if inputs.exchange.is_empty() && inputs.routing_key.is_empty() {
        return Err(Failure::permanent(
            "say where to; set the input `exchange`, or `routing_key` for a queue",
        )
        .nothing_done()
        .into());
    }
    let most = usize::try_from(broker.settings.max_bytes).unwrap_or(usize::MAX);
    let message = Outgoing::new(inputs, context, most)
        .await
        .map_err(Failure::nothing_done)?;
    short("exchange", &inputs.exchange)?;
    short("routing_key", &inputs.routing_key)?;
    let channel = broker.channel().await?;
    let sent = send(&channel, inputs, &message);
    let confirmed = match timeout(broker.settings.timeout, sent).await {
        Ok(confirmed) => confirmed.map_err(|error| explain(error, inputs, broker))?,
        Err(_) => {
            return Err(Failure::retryable(format!(
                "the broker has not confirmed the message within {:?}; see `timeout` of {}",
                broker.settings.timeout,
                broker.place()
            ))
            .into());
        }
    };
    // Where it was not confirmed something is under way on the channel still: it is dropped then, and closed.
    broker.give_back(channel);
    match confirmed {
        Confirmation::Ack(None) => Ok(Answer::new()
            .with("confirmed", true)
            .with("message_id", message.id)),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => Err(BpmnError::new(
            UNROUTABLE,
            format!(
                "no queue gets a message of the routing key `{}` from the exchange `{}` ({}); bind one, or set the input `mandatory` \
                 to false",
                inputs.routing_key, inputs.exchange, returned.reply_text
            ),
        )
        .into()),
        Confirmation::Nack(None) | Confirmation::NotRequested => {
            Err(Failure::retryable("the broker cannot keep the message now").into())
        }
    }
}

async fn send(channel: &Channel, inputs: &Inputs, message: &Outgoing) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions {
        mandatory: inputs.mandatory,
        ..BasicPublishOptions::default()
    };
    channel
        .basic_publish(
            inputs.exchange.as_str().into(),
            inputs.routing_key.as_str().into(),
            options,
            &message.body,
            message.properties.clone(),
        )
        .await?
        .await
}

/// What the broker has against a message.
#[allow(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn explain(error: lapin::Error, inputs: &Inputs, broker: &Broker) -> TaskError {
    let soft = match error.kind() {
        ErrorKind::ProtocolError(refused) => match refused.kind() {
            AMQPErrorKind::Soft(soft) => Some((soft, refused.get_message().to_string())),
            AMQPErrorKind::Hard(_) => None,
        },
        ErrorKind::InvalidChannelState(..) | ErrorKind::InvalidConnectionState(_) => {
            return broker.trouble(&error).nothing_done().into();
        }
        _ => None,
    };
    match soft {
        Some((AMQPSoftError::NOTFOUND, said)) => BpmnError::new(
            NO_EXCHANGE,
            format!("there is no exchange `{}` ({said})", inputs.exchange),
        )
        .into(),
        Some((AMQPSoftError::ACCESSREFUSED, said)) => Failure::permanent(format!(
            "the broker does not let this login publish there ({said}): check {}.username",
            broker.place()
        ))
        .nothing_done()
        .into(),
        Some((AMQPSoftError::PRECONDITIONFAILED, said)) => {
            BpmnError::new(REFUSED, format!("the broker refuses the message: {said}")).into()
        }
        _ => broker.trouble(&error).into(),
    }
}
