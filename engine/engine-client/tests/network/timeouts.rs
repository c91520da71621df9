//! Calls that take too long, and connections that do not come about or break.

use std::net::SocketAddr;
use std::time::Duration;

use engine_client::{ClientSettings, EngineError, FetchRequest, Login};
use tokio::net::{TcpListener, TcpSocket};

use super::clock::{Clock, soon};
use super::server::{Answer, Server, always, broken, closed, never, stalled, until, version};
use super::tokens::calls;

/// How long a call may take unless a setting says otherwise.
const CALL: Duration = Duration::from_secs(30);

const MOMENT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_call_that_is_never_answered_ends_after_its_time() {
    for seconds in [30, 3] {
        let server = Server::start(never).await;
        let engine = match seconds {
            30 => server.client(),
            _ => server.client_within(Duration::from_secs(seconds)),
        };
        let time = Duration::from_secs(seconds);
        let clock = Clock::stopped();
        let mut call = calls(&engine, 1);
        server.until_asked("/", 1).await;
        clock.advance(time - MOMENT).await;
        server.settle().await;
        assert!(call.try_join_next().is_none(), "too early");
        clock.advance(2 * MOMENT).await;
        let error = call.join_all().await.remove(0).unwrap_err();
        assert!(
            matches!(&error, EngineError::TimedOut { url, after }
                if *url == server.url("/engine-rest/version").as_str() && *after == time),
            "{error:?}"
        );
        assert!(error.is_unreachable() && error.is_ambiguous() && error.is_transient());
        assert!(!error.is_rolled_back() && !error.is_internal());
        assert_eq!(server.asked().len(), 1, "it was repeated");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn an_answer_that_stalls_ends_the_call_after_its_time_whatever_its_status() {
    for status in [200, 500, 503] {
        let server = Server::start(move |_| async move {
            let mut answer = stalled(br#"{"version": "#)?;
            *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
            Ok(answer)
        })
        .await;
        let engine = server.client();
        let clock = Clock::stopped();
        let mut call = calls(&engine, 1);
        server.until_asked("/", 1).await;
        // Its head alone does not count as the answer.
        clock.advance(CALL - MOMENT).await;
        server.settle().await;
        assert!(call.try_join_next().is_none(), "too early");
        clock.advance(2 * MOMENT).await;
        let error = call.join_all().await.remove(0).unwrap_err();
        assert!(
            matches!(error, EngineError::TimedOut { after, .. } if after == CALL),
            "{error:?}"
        );
        assert!(error.is_unreachable() && error.is_ambiguous());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_long_poll_has_its_own_time_and_some_grace() {
    let server = Server::start(never).await;
    let engine = server.client_within(Duration::from_secs(1));
    let clock = Clock::stopped();
    let poll = tokio::spawn(async move {
        let mut request = FetchRequest::new("worker", 1, []);
        request.long_poll = Duration::from_secs(60);
        soon(engine.fetch_and_lock(&request)).await
    });
    server
        .until_asked("/engine-rest/external-task/fetchAndLock", 1)
        .await;
    clock.advance(Duration::from_secs(80) - MOMENT).await;
    server.settle().await;
    assert!(!poll.is_finished(), "too early");
    clock.advance(2 * MOMENT).await;
    let error = poll.await.unwrap().unwrap_err();
    assert!(
        matches!(error, EngineError::TimedOut { after, .. } if after == Duration::from_secs(80)),
        "{error:?}"
    );
}

#[tokio::test]
async fn where_nothing_listens_the_call_was_not_sent() {
    let gone = Server::start(always(version)).await;
    let engine = gone.client();
    drop(gone);
    // The listener is closed by its task.
    tokio::task::yield_now().await;
    let error = engine.version().await.unwrap_err();
    assert!(
        matches!(error, EngineError::Unreachable { was_sent: false, .. }),
        "{error:?}"
    );
    assert!(error.is_unreachable() && error.is_transient() && !error.is_ambiguous());
    let said = error.to_string();
    let url = format!("the engine at {}/version cannot be reached", engine.url());
    assert!(said.starts_with(&url) && said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_host_without_a_name_was_not_sent_anything() {
    // RFC 6761: such a name never exists.
    let url = "http://engine.invalid/engine-rest".parse().unwrap();
    let engine = ClientSettings::new().client(url, Login::None).unwrap();
    let error = engine.version().await.unwrap_err();
    assert!(error.is_unreachable() && !error.is_ambiguous(), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_ends_the_call_after_the_time_for_that() {
    let (address, _held) = deaf().await;
    let engine = ClientSettings::new()
        .connect_timeout(Duration::from_millis(100))
        .client(format!("http://{address}/").parse().unwrap(), Login::None)
        .unwrap();
    let error = engine.version().await.unwrap_err();
    assert!(
        matches!(error, EngineError::Unreachable { was_sent: false, .. }),
        "{error:?}"
    );
    assert!(error.is_unreachable() && !error.is_ambiguous());
}

#[tokio::test]
async fn a_handshake_that_does_not_end_has_the_time_of_the_call() {
    // Accepts, and never says a word. The time for a connection is up when there is one, encrypted or not.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let engine = ClientSettings::new()
        .client(url.parse().unwrap(), Login::None)
        .unwrap();
    let clock = Clock::stopped();
    let call = calls(&engine, 1);
    let _held = listener.accept().await.unwrap();
    clock.advance(CALL + MOMENT).await;
    let error = call.join_all().await.remove(0).unwrap_err();
    assert!(
        matches!(error, EngineError::TimedOut { after, .. } if after == CALL),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_call_whose_connection_is_closed_may_have_been_carried_out_and_is_not_repeated() {
    fn short() -> Answer {
        let mut answer = broken(br#"{"version""#)?;
        answer.headers_mut().insert("content-length", 21.into());
        Ok(answer)
    }
    let answers: [fn() -> Answer; 3] = [|| Err(closed()), || broken(br#"{"version": "7"#), short];
    for answer in answers {
        let server = Server::start(always(answer)).await;
        let error = server.client().version().await.unwrap_err();
        assert!(
            matches!(error, EngineError::Unreachable { was_sent: true, .. }),
            "{error:?}"
        );
        assert!(error.is_unreachable() && error.is_ambiguous() && error.is_transient());
        assert!(error.to_string().contains(server.engine().as_str()), "{error}");
        assert_eq!(server.asked().len(), 1, "it was repeated");
    }
}

#[tokio::test]
async fn a_refusal_whose_text_breaks_off_is_told_by_its_status() {
    let server = Server::start(|_| async {
        let mut answer = broken(br#"{"message": "It is"#)?;
        *answer.status_mut() = http::StatusCode::NOT_FOUND;
        Ok(answer)
    })
    .await;
    assert!(server.client().version().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connection() {
    let server = Server::start(never).await;
    let engine = server.client();
    let mut call = calls(&engine, 1);
    server.until_asked("/", 1).await;
    assert_eq!(server.open(), 1);
    call.shutdown().await;
    until(|| server.open() == 0).await;
}

/// An address whose connections are not taken: its queue is full. Whoever is in it is held.
async fn deaf() -> (SocketAddr, (TcpListener, Vec<std::net::TcpStream>)) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queue.push(stream);
        assert!(queue.len() < 100, "the queue has no end");
    }
    (address, (listener, queue))
}
