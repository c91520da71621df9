//! The files that were deployed together with a process. A deployment never changes, so what was read once is kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use engine_client::{EngineClient, EngineError};

/// A file of more bytes is not read: scripts and the like are meant.
const LARGEST: u64 = 4 * 1024 * 1024;

/// No more bytes of files are kept than these.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// No more definitions, deployments and files, each, are remembered than these.
const MOST_KEPT: usize = 256;

/// The files beside processes.
pub(super) struct Files {
    engine: EngineClient,
    known: Mutex<Known>,
}

/// What is known of the engine.
#[derive(Default)]
struct Known {
    homes: HashMap<String, Option<Home>>,
    lists: HashMap<String, Arc<BTreeMap<String, String>>>,
    contents: HashMap<(String, String), Bytes>,
    bytes: usize,
}

/// Where a process definition comes from.
#[derive(Clone)]
struct Home {
    deployment_id: String,
    /// The folder of the model's file in it, with a `/` at its end; empty for the root.
    folder: String,
}

impl Files {
    pub(super) fn new(engine: EngineClient) -> Self {
        Self {
            engine,
            known: Mutex::default(),
        }
    }

    /// The content of a file in the deployment of a process definition: from its model's folder, else from the root.
    pub(super) async fn find(&self, definition_id: &str, path: &str) -> Result<Option<Bytes>, EngineError> {
        let Some(home) = self.home(definition_id).await? else {
            return Ok(None);
        };
        let files = self.list(&home.deployment_id).await?;
        let beside = format!("{}{path}", home.folder);
        match files.get(&beside).or_else(|| files.get(path)) {
            Some(file_id) => self.content(&home.deployment_id, file_id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn home(&self, definition_id: &str) -> Result<Option<Home>, EngineError> {
        if let Some(home) = self.known().homes.get(definition_id) {
            return Ok(home.clone());
        }
        let definition = self.engine.definition(definition_id).await?;
        let home = definition.deployment_id.map(|deployment_id| {
            let resource = definition.resource.unwrap_or_default();
            let folder = resource.rfind('/').map_or("", |end| &resource[..=end]);
            Home {
                deployment_id,
                folder: folder.to_owned(),
            }
        });
        let mut known = self.known();
        make_room(&mut known.homes);
        known.homes.insert(definition_id.to_owned(), home.clone());
        Ok(home)
    }

    /// The ids of a deployment's files by their names.
    async fn list(&self, deployment_id: &str) -> Result<Arc<BTreeMap<String, String>>, EngineError> {
        if let Some(list) = self.known().lists.get(deployment_id) {
            return Ok(Arc::clone(list));
        }
        let files = self.engine.deployment_resources(deployment_id).await?;
        let list = Arc::new(BTreeMap::from_iter(
            files.into_iter().map(|file| (file.name, file.id)),
        ));
        let mut known = self.known();
        make_room(&mut known.lists);
        known.lists.insert(deployment_id.to_owned(), Arc::clone(&list));
        Ok(list)
    }

    async fn content(&self, deployment_id: &str, file_id: &str) -> Result<Bytes, EngineError> {
        let key = (deployment_id.to_owned(), file_id.to_owned());
        if let Some(content) = self.known().contents.get(&key) {
            return Ok(content.clone());
        }
        let download = self
            .engine
            .deployment_resource(deployment_id, file_id, LARGEST)
            .await?;
        let content = download.whole().await?;
        let mut known = self.known();
        if known.contents.len() >= MOST_KEPT || known.bytes + content.len() > MOST_BYTES {
            known.contents.clear();
            known.bytes = 0;
        }
        // Two tasks may have read it at once; it counts once.
        if known.contents.insert(key, content.clone()).is_none() {
            known.bytes += content.len();
        }
        Ok(content)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in use comes back soon.
fn make_room<V>(kept: &mut HashMap<String, V>) {
    if kept.len() >= MOST_KEPT {
        kept.clear();
    }
}
