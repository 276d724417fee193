//! The engine with its simulator in this process.

use std::time::Duration;

use rollcall::engine::Engine;
use rollcall_fluent_sim::Sim;

use crate::people;
use crate::rooms::{Handles, configuration, load, start_sim, until};

/// An engine with its simulator, and the folder that everything lies in.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) sim: Sim,
    folder: tempfile::TempDir,
    handles: Handles,
}

impl World {
    pub(crate) async fn start(handles: Handles) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sim = start_sim(&handles, people::seed()).await;
        let config = configuration(folder.path(), &sim.url(), "");
        let config = load(&config);
        let engine = handles
            .engine
            .spawn(Engine::start(config))
            .await
            .unwrap()
            .unwrap();
        let world = Self {
            engine,
            sim,
            folder,
            handles,
        };
        // The catalog has been read, and the first resync is through.
        until(Duration::from_millis(5), || {
            let status = world.engine.reconciler(&people::tenant());
            status.is_some_and(|status| status.converged && status.catalog_read.is_some())
        })
        .await;
        until(Duration::from_millis(5), || {
            !world.directory().catalog().roles.is_empty()
        })
        .await;
        world
    }

    pub(crate) fn directory(&self) -> rollcall_projector::TenantHandle {
        self.engine.directory(&people::tenant()).unwrap()
    }

    /// Waits until nothing is left to be done.
    pub(crate) async fn quiet(&self) {
        until(Duration::from_millis(50), || {
            let directory = self.directory();
            let idle = self
                .engine
                .reconciler(&people::tenant())
                .unwrap()
                .accounts
                .is_idle();
            directory.lag() == 0 && directory.status().dirty == 0 && idle
        })
        .await;
    }

    pub(crate) async fn stop(self) {
        let engine = self.engine;
        self.handles.engine.spawn(engine.stop()).await.unwrap().unwrap();
        self.sim.stop().await;
        drop(self.folder);
    }
}
