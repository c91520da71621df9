//! Takes the mails of one mailbox as they arrive, gives each to the engine, and only then marks it.

use std::sync::Arc;
use std::time::Duration;

use arrival::{Arrival, Fate};
use async_imap::extensions::idle::IdleResponse;
use async_imap::types::UnsolicitedResponse;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use secrets::SecretStore;
use tokio::time::sleep;
use worker_api::{Failure, Inbound, InboundContext, Message, TaskError, Value, async_trait};

use super::fetch::{mark, raw, select, size};
use super::mail::Mail;
use super::session::{Place, Session, open};
use super::settings::MailboxSettings;
use crate::settings::ConnectionSettings;

/// How long a server may be silent while it is to tell of mail (IDLE, RFC 2177) before it is asked anew: routers forget
/// connections that are silent for longer.
const SILENCE: Duration = Duration::from_secs(5 * 60);

/// How often a server is asked that cannot tell of mail.
const POLL: Duration = Duration::from_secs(30);

/// A mailbox of a connection.
pub(crate) struct Mailbox {
    settings: Arc<ConnectionSettings>,
    secrets: SecretStore,
    connection: String,
    mailbox: String,
    name: String,
    senders: DefaultKeyedRateLimiter<String>,
}

/// What becomes of a mail.
enum Verdict {
    /// The engine has it.
    Taken,
    /// It is nothing for a process.
    Ignored(String),
    /// It cannot be taken.
    Refused(String),
    /// It stays as it is, as procos stops.
    Left,
}

impl Mailbox {
    pub(crate) fn new(
        settings: Arc<ConnectionSettings>,
        secrets: SecretStore,
        connection: &str,
        name: &str,
    ) -> Self {
        let per_sender = settings.receive[name].per_sender;
        Self {
            senders: RateLimiter::keyed(Quota::per_hour(per_sender)),
            name: format!("email.{connection}.{name}"),
            connection: connection.to_owned(),
            mailbox: name.to_owned(),
            settings,
            secrets,
        }
    }

    fn receive(&self) -> &MailboxSettings {
        // It was made of one of them.
        &self.settings.receive[&self.mailbox]
    }

    fn place(&self) -> Result<Place<'_>, Failure> {
        let name = format!("services.email.{}.imap", self.connection);
        match &self.settings.imap {
            Some(imap) => Ok(Place { imap, name }),
            None => Err(Failure::permanent(format!("{name} is not there"))),
        }
    }

    /// Takes all that is there and not seen.
    async fn take_all(&self, session: &mut Session, context: &InboundContext) -> Result<(), Failure> {
        let place = self.place()?;
        let found = place.within(session.uid_search("UNSEEN UNDELETED")).await?;
        let mut uids: Vec<u32> = found.into_iter().collect();
        uids.sort_unstable();
        for uid in uids {
            if context.stop.is_cancelled() {
                return Ok(());
            }
            let (verdict, subject) = self.take(session, uid, context).await?;
            let settings = self.receive();
            let (flags, goes_to) = match verdict {
                Verdict::Left => return Ok(()),
                Verdict::Taken => ("\\Seen", settings.done.as_ref()),
                Verdict::Ignored(reason) => {
                    tracing::info!(mailbox = self.name, uid, subject, reason, "a mail is not taken");
                    ("\\Seen", None)
                }
                Verdict::Refused(reason) => {
                    tracing::error!(
                        mailbox = self.name,
                        uid,
                        subject,
                        reason,
                        "a mail cannot be taken, and is flagged"
                    );
                    ("\\Seen \\Flagged", settings.failed.as_ref())
                }
            };
            let uid = uid.to_string();
            mark(session, &uid, flags, &place).await?;
            if let Some(mailbox) = goes_to {
                place
                    .within(session.uid_mv(&uid, mailbox))
                    .await
                    .map_err(|failure| {
                        Failure::retryable(format!("a mail cannot go to `{mailbox}`: {}", failure.message))
                    })?;
            }
        }
        Ok(())
    }

    /// One mail, and its subject for the log.
    async fn take(
        &self,
        session: &mut Session,
        uid: u32,
        context: &InboundContext,
    ) -> Result<(Verdict, String), Failure> {
        let (place, settings) = (self.place()?, self.receive());
        let bytes = size(session, uid, &place).await?;
        if bytes > settings.max_bytes {
            let reason = format!("it has {bytes} bytes, and {} are allowed", settings.max_bytes);
            return Ok((Verdict::Refused(reason), String::new()));
        }
        let Some(raw) = raw(session, uid, &place).await? else {
            return Ok((Verdict::Ignored("it has gone".to_owned()), String::new()));
        };
        let Some(mail) = Mail::read(&raw, 1) else {
            return Ok((Verdict::Refused("it is no mail".to_owned()), String::new()));
        };
        let subject = mail.json["subject"].as_str().unwrap_or_default().to_owned();
        Ok((self.judge(mail, uid, context).await?, subject))
    }

    async fn judge(&self, mail: Mail, uid: u32, context: &InboundContext) -> Result<Verdict, Failure> {
        let settings = self.receive();
        if let (Some(header), false) = (mail.automatic, settings.automatic) {
            return Ok(Verdict::Ignored(format!("a program wrote it ({header})")));
        }
        let sender = mail.sender.clone().unwrap_or_default();
        let own = self
            .settings
            .sender()
            .ok()
            .map(|own| own.email.to_string().to_lowercase());
        if own.as_ref() == Some(&sender) {
            return Ok(Verdict::Ignored("it is our own".to_owned()));
        }
        if self.senders.check_key(&sender).is_err() {
            return Ok(Verdict::Refused(format!(
                "more than {} mails of {sender} came within an hour",
                settings.per_sender
            )));
        }
        // One without an id is known by its place.
        let id = mail.id.clone().unwrap_or_else(|| format!("{}/{uid}", self.name));
        let files = if settings.attachments {
            mail.files.clone()
        } else {
            worker_api::Variables::new()
        };
        let mut is_answer_of_nobody = false;
        if let Some(reply) = &settings.reply {
            let elsewhere = settings.process.is_some() || settings.message.is_some();
            for (index, answered) in mail.answers.iter().enumerate() {
                let is_last = index + 1 == mail.answers.len();
                let patience = if is_last && !elsewhere {
                    settings.patience
                } else {
                    Duration::ZERO
                };
                let message = Message {
                    correlation_keys: [(reply.variable.clone(), Value::from(answered.as_str()))].into(),
                    tenant_id: settings.tenant.clone(),
                    ..Message::new(&reply.message)
                };
                let message = message
                    .once_per(&id)
                    .variables([("payload".to_owned(), Value::from(mail.json.clone()))].into())
                    .variables(files.clone());
                match Arrival::Message(message)
                    .settle(&self.name, patience, context)
                    .await?
                {
                    Fate::Nobody(_) => is_answer_of_nobody = true,
                    fate => return Ok(fate.into()),
                }
            }
            if !elsewhere {
                return Ok(Verdict::Refused(match is_answer_of_nobody {
                    true => "no instance waits for an answer to what it answers".to_owned(),
                    false => {
                        "it answers nothing, and no `process` or `message` is for other mails".to_owned()
                    }
                }));
            }
        }
        let arrival = match settings.destination().read(Some(id), mail.json) {
            Ok(arrival) => arrival.with(files),
            Err(reason) => return Ok(Verdict::Refused(reason)),
        };
        Ok(arrival
            .settle(&self.name, settings.patience, context)
            .await?
            .into())
    }
}

impl From<Fate> for Verdict {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Taken => Self::Taken,
            Fate::Nobody(reason) | Fate::Refused(reason) => Self::Refused(reason),
            Fate::Stopped => Self::Left,
        }
    }
}

#[async_trait]
impl Inbound for Mailbox {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, context: InboundContext) -> Result<(), Failure> {
        let place = self.place()?;
        let mut session = open(&place, &self.secrets).await?;
        select(&mut session, &self.mailbox, &place)
            .await
            .map_err(|error| match error {
                TaskError::Failure(failure) => failure,
                other => Failure::permanent(other.to_string()),
            })?;
        let tells = place.within(session.capabilities()).await?.has_str("IDLE");
        context.ready();
        loop {
            self.take_all(&mut session, &context).await?;
            if context.stop.is_cancelled() {
                let _ = place.within(session.logout()).await;
                return Ok(());
            }
            if !tells {
                tokio::select! {
                    () = context.stop.cancelled() => {}
                    () = sleep(POLL) => {}
                }
                continue;
            }
            let news = session.unsolicited_responses.clone();
            let mut idle = session.idle();
            place.within(idle.init()).await?;
            // What came after the search was told with the answer to that or to this, and is told only once.
            let mut is_told = false;
            while let Ok(told) = news.try_recv() {
                is_told |= matches!(told, UnsolicitedResponse::Exists(_));
            }
            if is_told {
                session = place.within(idle.done()).await?;
                continue;
            }
            let (told, _interrupt) = idle.wait_with_timeout(SILENCE);
            tokio::select! {
                () = context.stop.cancelled() => {}
                told = told => match told.map_err(|error| place.trouble(&error))? {
                    IdleResponse::NewData(_) | IdleResponse::Timeout => {}
                    // Nobody has interrupted it: the connection has ended.
                    IdleResponse::ManualInterrupt => return Err(place.trouble(&async_imap::error::Error::ConnectionLost)),
                },
            }
            session = place.within(idle.done()).await?;
        }
    }
}
