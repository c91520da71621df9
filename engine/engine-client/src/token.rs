//! Tokens that are fetched when they are needed, and renewed before they run out.

use std::pin::Pin;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AsyncHttpClient, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    StandardErrorResponse, TokenResponse, TokenUrl,
};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{TokenError, cause};
use crate::login::{OAuth2, header};
use crate::settings::without_login;
use crate::transport::Transport;

/// A token is renewed this long before it runs out, or when a fifth of its life is left, whichever is later.
const MARGIN: Duration = Duration::from_secs(60);

/// After a renewal has failed and the old token is good for a while still: when to try again.
const PAUSE: Duration = Duration::from_secs(5);

/// How an endpoint says no (RFC 6749, 5.2).
type ErrorAnswer = StandardErrorResponse<BasicErrorResponseType>;

/// The tokens of one login.
#[derive(Debug)]
pub(crate) struct Tokens {
    login: OAuth2,
    timeout: Duration,
    current: RwLock<Option<Token>>,
    /// Held by whoever fetches a token; in it, how the last attempt failed.
    renewal: Mutex<Option<(Instant, TokenError)>>,
}

#[derive(Clone, Debug)]
struct Token {
    header: HeaderValue,
    came_at: Instant,
    /// From when on a better one is wanted; never where the endpoint does not tell how long it lives.
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl Tokens {
    pub(crate) fn new(login: OAuth2, timeout: Duration) -> Result<Self, String> {
        let url = without_login(&login.token_url);
        let holds_login = !login.token_url.username().is_empty() || login.token_url.password().is_some();
        if !matches!(login.token_url.scheme(), "http" | "https") {
            return Err(format!(
                "the token endpoint {url} is not an http or https address"
            ));
        }
        if holds_login {
            return Err(format!(
                "the token endpoint {url} holds a login; give that as client_id and client_secret"
            ));
        }
        Ok(Self {
            login,
            timeout,
            current: RwLock::default(),
            renewal: Mutex::default(),
        })
    }

    /// The header with a token that is good now.
    pub(crate) async fn current(&self, transport: &Transport) -> Result<HeaderValue, TokenError> {
        let now = Instant::now();
        let passed = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        match self.read() {
            Some(token) if !passed(token.renew_at) => Ok(token.header),
            Some(token) if !passed(token.ends_at) => {
                // One renews it, ahead of its call; for all others the old one does.
                let Ok(mut failed) = self.renewal.try_lock() else {
                    return Ok(token.header);
                };
                match self.fetch(transport, &mut failed).await {
                    Ok(header) => Ok(header),
                    Err(error) => {
                        tracing::warn!(%error, "the engine's token is used on");
                        let renew_at = Some(Instant::now() + PAUSE);
                        self.write(Token {
                            renew_at,
                            ..token.clone()
                        });
                        Ok(token.header)
                    }
                }
            }
            Some(token) => self.renew(transport, Some(&token.header)).await,
            None => self.renew(transport, None).await,
        }
    }

    /// Another token than the one that was refused: the one that somebody else has fetched meanwhile, else a new one.
    pub(crate) async fn renew(
        &self,
        transport: &Transport,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, TokenError> {
        let began = Instant::now();
        let mut failed = self.renewal.lock().await;
        // Whoever waited for an attempt shares what came of it, be it the same token again: a queue of calls must not
        // become a queue of attempts.
        if let Some(token) = self.read()
            && (Some(&token.header) != refused || token.came_at >= began)
        {
            return Ok(token.header);
        }
        if let Some((at, error)) = &*failed
            && *at >= began
        {
            return Err(error.clone());
        }
        self.fetch(transport, &mut failed).await
    }

    async fn fetch(
        &self,
        transport: &Transport,
        failed: &mut Option<(Instant, TokenError)>,
    ) -> Result<HeaderValue, TokenError> {
        let asked = tokio::time::timeout(self.timeout, self.ask(transport)).await;
        let timed_out = || self.unreachable(format!("no answer within {:?}", self.timeout));
        match asked.unwrap_or_else(|_| Err(timed_out())) {
            Ok(token) => {
                *failed = None;
                self.write(token.clone());
                Ok(token.header)
            }
            Err(error) => {
                *failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Boxed, since the compiler cannot see through the library's own future that this one can be sent.
    fn ask<'a>(
        &'a self,
        transport: &'a Transport,
    ) -> Pin<Box<dyn Future<Output = Result<Token, TokenError>> + Send + 'a>> {
        let login = &self.login;
        Box::pin(async move {
            let client = BasicClient::new(ClientId::new(login.client_id.clone()))
                .set_client_secret(ClientSecret::new(login.client_secret.expose_secret().to_owned()))
                .set_token_uri(TokenUrl::from_url(login.token_url.clone()));
            let scopes = login.scope.as_deref().unwrap_or_default().split_whitespace();
            let asked = Instant::now();
            let endpoint = Endpoint {
                tokens: self,
                transport,
            };
            let answer = client
                .exchange_client_credentials()
                .add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())))
                .request_async(&endpoint)
                .await
                .map_err(|error| self.explain(error))?;
            let credentials = format!("Bearer {}", answer.access_token().secret());
            let Some(header) = header(&credentials) else {
                let reason = "its token holds characters that a header cannot carry";
                return Err(self.unusable(reason.to_owned()));
            };
            let life = answer.expires_in();
            Ok(Token {
                header,
                came_at: Instant::now(),
                renew_at: life.and_then(|life| asked.checked_add(life - MARGIN.min(life / 5))),
                ends_at: life.and_then(|life| asked.checked_add(life)),
            })
        })
    }

    fn explain(&self, error: RequestTokenError<TokenError, ErrorAnswer>) -> TokenError {
        match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(answer) => TokenError {
                url: self.login.token_url.to_string(),
                reason: answer.to_string(),
                is_refused: true,
                is_unreachable: false,
            },
            // Without what it read: that may be the token.
            RequestTokenError::Parse(error, _) => self.unusable(format!(
                "its answer cannot be read as a token's (at `{}`)",
                error.path()
            )),
            RequestTokenError::Other(reason) => self.unusable(reason),
        }
    }

    fn unusable(&self, reason: String) -> TokenError {
        TokenError {
            url: self.login.token_url.to_string(),
            reason,
            is_refused: false,
            is_unreachable: false,
        }
    }

    fn unreachable(&self, reason: String) -> TokenError {
        TokenError {
            is_unreachable: true,
            ..self.unusable(reason)
        }
    }

    fn read(&self) -> Option<Token> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn write(&self, token: Token) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }
}

/// The token endpoint, as the library calls it.
struct Endpoint<'a> {
    tokens: &'a Tokens,
    transport: &'a Transport,
}

impl<'c> AsyncHttpClient<'c> for Endpoint<'_> {
    type Error = TokenError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TokenError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let broken = |reason| self.tokens.unreachable(reason);
            let answer = self.transport.send(request.map(Bytes::from)).await;
            let answer = answer.map_err(|error| broken(cause(&error)))?;
            let status = answer.status();
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                return Err(broken(format!("status {status}")));
            }
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| broken(cause(&*error)))?;
            let body = body.to_bytes();
            if !status.is_success() && serde_json::from_slice::<ErrorAnswer>(&body).is_err() {
                // Not the endpoint's own answer but a redirect or a gateway's: the status is all that it tells.
                return Err(TokenError {
                    is_refused: matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
                    ..self.tokens.unusable(format!("status {status}"))
                });
            }
            Ok(http::Response::from_parts(parts, body.into()))
        })
    }
}
