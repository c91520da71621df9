//! The only list of adapters there is, and the routes from topics to them.
//!
//! ```
//! use adapter_catalog::{Catalogue, ScriptSettings};
//! use worker_api::Router;
//!
//! let services = serde_json::from_str(r#"{"http": {"billing": {"base_url": "https://billing.example/v1"}}}"#)?;
//! let routes = serde_json::from_str(r#"{"fetch_bill": {"adapter": "http", "with": {"connection": "billing"}}}"#)?;
//! let catalogue = Catalogue::build(&services, &routes, &secrets::SecretStore::default(), ScriptSettings::new("data"))?;
//! assert_eq!(catalogue.route("fetch_bill").map(|route| route.operation.as_str()), Some("http_request"));
//! assert!(catalogue.topics().contains(&"input_validation".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod catalogue;
mod error;
mod registry;
mod setting;

pub use adapter_core::serve_transformation;
pub use adapter_script::{NAME as SCRIPTS, ScriptAdapter, ScriptSettings};
pub use catalogue::Catalogue;
pub use error::CatalogueError;
pub use setting::RouteSetting;
