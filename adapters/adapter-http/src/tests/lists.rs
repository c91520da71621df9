//! Lists in pages, and fields taken out of answers.

use axum::Json as AxumJson;
use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use worker_api::Retry;

use super::*;

type Parameters = Query<HashMap<String, String>>;

fn number(parameters: &HashMap<String, String>, name: &str) -> usize {
    parameters
        .get(name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

/// Three pages with two items each, in every way.
fn pages() -> Router {
    let items = |page: usize| json!([page * 10, page * 10 + 1]);
    let link = move |Query(parameters): Parameters| async move {
        let page = number(&parameters, "page");
        let mut headers = HeaderMap::new();
        if page < 3 {
            let link = format!(
                "</link?page=1>; rel=\"first\", </link?tag=a%20b&page={}>; rel=\"next\"",
                page + 1
            );
            headers.insert("link", link.parse().unwrap());
        }
        (headers, AxumJson(items(page)))
    };
    let cursor = move |Query(parameters): Parameters| async move {
        let page = number(&parameters, "after");
        let next = if page < 3 {
            json!((page + 1).to_string())
        } else {
            Json::Null
        };
        AxumJson(json!({"data": {"orders": items(page)}, "next": next}))
    };
    let page = move |Query(parameters): Parameters| async move {
        assert_eq!(parameters["kind"], "open");
        let page = number(&parameters, "p");
        AxumJson(json!({"orders": if page <= 3 { items(page) } else { json!([]) }}))
    };
    let away = || async {
        (
            [("link", "<http://other.example/x>; rel=next")],
            AxumJson(json!([1])),
        )
    };
    let same = || async { ([("link", "</same>; rel=next")], AxumJson(json!([1]))) };
    let breaks = |Query(parameters): Parameters| async move {
        let page = number(&parameters, "p");
        let answer: Response = match page {
            1 => AxumJson(json!([1])).into_response(),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "later").into_response(),
        };
        answer
    };
    Router::new()
        .route("/link", get(link))
        .route("/cursor", get(cursor))
        .route("/page", get(page))
        .route("/away", get(away))
        .route("/same", get(same))
        .route("/breaks", get(breaks))
}

#[tokio::test]
async fn the_items_of_all_pages_are_one_list() {
    let address = serve(pages()).await;
    for (path, pagination, pages) in [
        ("/link", json!({"by": "link"}), 3),
        (
            "/cursor",
            json!({"by": "cursor", "cursor": "$.next", "parameter": "after", "items": "$.data.orders"}),
            3,
        ),
        (
            "/page?kind=open",
            json!({"by": "page", "parameter": "p", "items": "$.orders"}),
            4,
        ),
    ] {
        let inputs = json!({"url": format!("http://{address}{path}"), "pagination": pagination.to_string()});
        let answer = run(&local(), inputs).await.unwrap();
        assert_eq!(body(&answer), json!([10, 11, 20, 21, 30, 31]), "{path}");
        assert_eq!(answer.fields()["pages"].to_json(), json!(pages), "{path}");
        assert_eq!(answer.fields()["status"].to_json(), json!(200));
    }
}

#[tokio::test]
async fn pages_have_limits_and_stay_with_their_service() {
    let address = serve(pages()).await;
    for (path, pagination, more, why) in [
        (
            "/link",
            json!({"by": "link", "max_pages": 2}),
            json!({}),
            "more than 2 pages",
        ),
        (
            "/link",
            json!({"by": "link"}),
            json!({"max_bytes": 20}),
            "the answer has more than",
        ),
        (
            "/link",
            json!({"by": "link", "items": "$.orders"}),
            json!({"method": "POST"}),
            "is for GET",
        ),
        ("/cursor", json!({"by": "link"}), json!({}), "is no list"),
        (
            "/away",
            json!({"by": "link"}),
            json!({}),
            "another service (other.example)",
        ),
        ("/same", json!({"by": "link"}), json!({}), "the same page again"),
        (
            "/link",
            json!({"by": "cursor", "cursor": "next", "parameter": "x"}),
            json!({}),
            "pagination",
        ),
    ] {
        let mut inputs = json!({"url": format!("http://{address}{path}"), "pagination": pagination});
        inputs
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let failure = failure(run(&local(), inputs).await);
        assert!(failure.message.contains(why), "{path}: {failure}");
        assert_eq!(failure.retry, Retry::Never, "{path}");
    }
    // A page that does not come is a failure of the whole, to be tried again.
    let inputs =
        json!({"url": format!("http://{address}/breaks"), "pagination": {"by": "page", "parameter": "p"}});
    let broken = failure(run(&local(), inputs).await);
    assert!(
        broken.message.contains("503") && broken.retry != Retry::Never,
        "{broken}"
    );
}

#[tokio::test]
async fn fields_are_taken_out_of_the_body() {
    let order =
        || async { AxumJson(json!({"order": {"id": "A-1", "items": [{"price": 2}, {"price": 3.5}]}})) };
    let address = serve(Router::new().route("/order", get(order))).await;
    let url = format!("http://{address}/order");
    let map = json!({"id": "$.order.id", "price": "$.order.items[-1].price", "note": "$.order.note"});
    let answer = run(&local(), json!({"url": url, "map": map.to_string()}))
        .await
        .unwrap();
    let field = |name: &str| answer.fields()[name].to_json();
    assert_eq!(
        (field("id"), field("price"), field("note")),
        (json!("A-1"), json!(3.5), Json::Null)
    );
    for (map, why) in [
        (json!({"status": "$.x"}), "has a field of that name"),
        (json!({"id": "order.id"}), "`id`: `order.id` is no JSON path"),
    ] {
        let failure = failure(run(&local(), json!({"url": url, "map": map})).await);
        assert!(failure.message.contains(why) && failure.nothing_done, "{failure}");
    }
}

/// A port that fills in templates as the worker does.
#[derive(Debug)]
struct Templates;

#[worker_api::async_trait]
impl worker_api::ProcessPort for Templates {
    async fn start(&self, _: worker_api::StartProcess) -> Result<worker_api::Started, worker_api::PortError> {
        unreachable!("nothing is started")
    }

    async fn correlate(&self, _: worker_api::Message) -> Result<Vec<worker_api::Hit>, worker_api::PortError> {
        unreachable!("nothing is correlated")
    }

    async fn signal(&self, _: worker_api::Signal) -> Result<(), worker_api::PortError> {
        unreachable!("no signal is thrown")
    }

    async fn call_topic(
        &self,
        caller: &TaskContext,
        call: worker_api::TopicCall,
    ) -> Result<Outcome, worker_api::PortError> {
        let called = caller.called(call, std::time::Instant::now());
        Ok(adapter_core::CoreAdapter::new().execute(called).await)
    }

    async fn resource(
        &self,
        _: &TaskContext,
        _: &str,
    ) -> Result<Option<bytes::Bytes>, worker_api::PortError> {
        unreachable!("no file is read")
    }

    fn topic(&self, _: &str) -> Option<worker_api::TopicDescription> {
        None
    }
}

#[tokio::test]
async fn an_answers_fields_are_filled_in_by_a_template() {
    let order = || async { AxumJson(json!({"id": "A-1", "total": 118.2})) };
    let address = serve(Router::new().route("/order", get(order))).await;
    let fill = async |template: &str| {
        let inputs = json!({"url": format!("http://{address}/order"), "map": {"line": template}});
        let context = context(inputs).with_processes(Arc::new(Templates));
        local().execute(context).await
    };
    let answer = fill("{{ id }}: {{ '%.2f'|format(total) }}").await.unwrap();
    assert_eq!(answer.fields()["line"].to_json(), json!("A-1: 118.20"));
    let failure = failure(fill("{{ nothing }}").await);
    assert!(failure.message.contains("which has no value"), "{failure}");
    assert_eq!(failure.retry, Retry::Never);
}
