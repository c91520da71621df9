//! Tokens of OAuth 2.0 client credentials: fetched when they are needed, kept, and renewed before they run out.

use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use http_client::{Bounds, HttpClient, SendError};
use oauth2::basic::BasicClient;
use oauth2::{
    AsyncHttpClient, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
};
use secrets::{Secret, SecretStore};
use tokio::sync::Mutex;
use worker_api::Failure;

use crate::request::resolve;
use crate::settings::OAuth2;
use crate::show::masked;

/// A token is renewed this long before it runs out, or when a fifth of its life is left, whichever is later.
const MARGIN: Duration = Duration::from_secs(60);

/// Bytes that a token endpoint's answer may have.
const LARGEST: u64 = 64 * 1024;

/// The tokens of one connection.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<Option<Token>>);

#[derive(Debug)]
struct Token {
    token: Secret,
    /// From when on another is wanted; never where the endpoint does not tell how long it lives.
    renew_at: Option<Instant>,
}

impl Tokens {
    /// A token that is good now. Who comes while one is fetched waits for that one.
    ///
    /// # Errors
    /// Where the endpoint gives none: retryable unless it says no.
    pub(crate) async fn current(
        &self,
        login: &OAuth2,
        secrets: &SecretStore,
        client: &HttpClient,
        timeout: Duration,
        connection: &str,
    ) -> Result<Secret, Failure> {
        let mut current = self.0.lock().await;
        if let Some(token) = &*current
            && token.renew_at.is_none_or(|moment| Instant::now() < moment)
        {
            return Ok(token.token.clone());
        }
        let token = fetch(login, secrets, client, timeout, connection).await?;
        let given = token.token.clone();
        *current = Some(token);
        Ok(given)
    }

    /// The service has refused this token: the next task gets another.
    pub(crate) async fn refused(&self, token: &Secret) {
        let mut current = self.0.lock().await;
        if current
            .as_ref()
            .is_some_and(|current| current.token.expose() == token.expose())
        {
            *current = None;
        }
    }
}

/// Boxed, since the compiler cannot see through the library's own future that this one can be sent.
fn fetch<'a>(
    login: &'a OAuth2,
    secrets: &'a SecretStore,
    client: &'a HttpClient,
    timeout: Duration,
    connection: &'a str,
) -> Pin<Box<dyn Future<Output = Result<Token, Failure>> + Send + 'a>> {
    Box::pin(async move {
        let secret = resolve(&login.client_secret, secrets)?;
        let endpoint = Endpoint {
            client,
            timeout,
            shown: format!("the token endpoint {}", masked(&login.token_url)),
            connection,
        };
        let oauth2 = BasicClient::new(ClientId::new(login.client_id.clone()))
            .set_client_secret(ClientSecret::new(secret.expose().to_owned()))
            .set_token_uri(TokenUrl::from_url(login.token_url.clone()));
        let mut request = oauth2
            .exchange_client_credentials()
            .add_scopes(login.scopes.iter().cloned().map(Scope::new));
        if let Some(audience) = &login.audience {
            request = request.add_extra_param("audience", audience);
        }
        let asked = Instant::now();
        let answer = request
            .request_async(&endpoint)
            .await
            .map_err(|error| endpoint.explain(error))?;
        let life = answer.expires_in();
        Ok(Token {
            token: Secret::new(answer.access_token().secret()),
            renew_at: life.and_then(|life| asked.checked_add(life.saturating_sub(MARGIN.min(life / 5)))),
        })
    })
}

/// The token endpoint, as the library calls it.
struct Endpoint<'a> {
    client: &'a HttpClient,
    timeout: Duration,
    shown: String,
    connection: &'a str,
}

/// Why the endpoint has not answered.
#[derive(Debug, thiserror::Error)]
enum EndpointError {
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("it answers {0}")]
    Status(StatusCode),
}

impl Endpoint<'_> {
    fn explain<E: oauth2::ErrorResponse + std::fmt::Display>(
        &self,
        error: RequestTokenError<EndpointError, E>,
    ) -> Failure {
        let place = format!("auth.oauth2 of services.http.{}", self.connection);
        match error {
            RequestTokenError::Request(EndpointError::Send(error)) => {
                http_client::failure(&error, &self.shown, &format!("services.http.{}", self.connection))
            }
            RequestTokenError::Request(EndpointError::Status(status)) => {
                Failure::retryable(format!("{} answers {status}", self.shown))
            }
            RequestTokenError::ServerResponse(said) => Failure::permanent(format!(
                "{} gives no token: {said}; check client_id, client_secret and scopes in {place}",
                self.shown
            )),
            // Without what it read: that may be the token.
            RequestTokenError::Parse(error, _) => Failure::permanent(format!(
                "{} does not answer as one (at `{}`); check token_url in {place}",
                self.shown,
                error.path()
            )),
            RequestTokenError::Other(reason) => {
                Failure::permanent(format!("{}: {reason}; check token_url in {place}", self.shown))
            }
        }
    }
}

impl<'c> AsyncHttpClient<'c> for Endpoint<'_> {
    type Error = EndpointError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, EndpointError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let bounds = Bounds {
                timeout: self.timeout,
                max_bytes: LARGEST,
                follow: http_client::Follow::Never,
            };
            let request = request.map(|body| Full::new(Bytes::from(body)));
            let received = self.client.send(request, bounds).await?;
            let status = received.status;
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                return Err(EndpointError::Status(status));
            }
            let mut response = http::Response::new(received.body.to_vec());
            *response.status_mut() = status;
            *response.headers_mut() = received.headers;
            Ok(response)
        })
    }
}
