//! A real API server that has our definitions.
use std::{
    fs,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use boathook_crds::generated;
use boathook_testbed::{ControlPlane, Output, shared};

/// The server of this process, with the definitions of the chart, as soon as they are served and explained.
pub(crate) fn cluster() -> &'static ControlPlane {
    static READY: OnceLock<()> = OnceLock::new();
    let plane = shared();
    READY.get_or_init(|| {
        let applied = apply("default", &definitions(), &[]);
        assert_eq!(applied.stderr, "", "a definition was refused, or warned of");
        for name in ["webhookendpoints.boathook.dev", "webhooksinks.boathook.dev"] {
            plane.wait_until_served(name).unwrap();
        }
        wait_until("kubectl explains both kinds", || {
            ["webhookendpoint", "webhooksink"]
                .iter()
                .all(|kind| plane.kubectl(&["explain", kind]).unwrap().status.success())
        });
    });
    plane
}

/// The definitions as the chart has them, from the types as they are now.
fn definitions() -> String {
    let templates =
        generated().into_iter().filter(|(path, _)| path.starts_with("charts/boathook-crds/templates/"));
    templates.map(|(_, text)| format!("---\n{text}")).collect()
}

/// Applies objects with `kubectl apply --server-side`, strictly. Those that name no namespace get this one.
pub(crate) fn apply(namespace: &str, objects: &str, options: &[&str]) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, objects).unwrap();
    let path = file.path().to_str().unwrap();
    let apply = ["apply", "--server-side", "--validate=strict", "--namespace", namespace, "--filename", path];
    shared().kubectl(&[&apply, options].concat()).unwrap()
}

/// Waits for what the server's controllers do a moment later.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in 30 s: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
