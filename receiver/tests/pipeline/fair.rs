//! Fairness: one tenant's backlog does not stand in front of another's event.
use super::{
    program::{GITHUB, Program, configuration, until},
    sink::Server,
};

fn configured(server: &Server, more: &str) -> String {
    let sink = format!("http: {{ url: \"http://{}/take\" }}\nconcurrency: 2\n{more}", server.address);
    configuration(&format!("{GITHUB}\nevents: {{ tenant: \"{{/team}}\" }}"), &sink)
}

fn send(program: &Program, team: &str, number: usize) {
    let (id, body) = (format!("{team}{number}"), format!(r#"{{"team":"{team}"}}"#));
    assert_eq!(program.send(&id, "push", &body).status, 200, "{id}");
}

#[test]
fn one_event_of_a_tenant_overtakes_what_another_has_piled_up_in_the_store() {
    let server = Server::start();
    let program = Program::start(&configured(&server, "suspend: true"));
    (0..1_500).for_each(|number| send(&program, "pile", number));
    // Slowly, so that the pile lasts.
    program.configure(&configured(&server, "rateLimit: { perMinute: 1200 }"));
    until("the first ones", || (server.got().len() >= 30).then_some(()));
    send(&program, "one", 0);
    let place = until("the event of the other tenant", || {
        server.values("boathook-event-id").iter().position(|id| id == "one0")
    });
    assert!(place < 500, "{place} went before it");
}

#[test]
fn a_tenant_at_its_rate_waits_and_the_others_go_on() {
    let server = Server::start();
    let program = Program::start(&configured(&server, "rateLimit: { perTenantPerMinute: 60 }"));
    (0..30).for_each(|number| send(&program, "much", number));
    send(&program, "one", 0);
    assert_eq!(program.send("none", "push", "{}").status, 200);
    let ids = until("the others", || {
        let ids = server.values("boathook-event-id");
        (ids.contains(&"one0".into()) && ids.contains(&"none".into())).then_some(ids)
    });
    assert!(ids.len() < 25, "{ids:?}");
    let sink = &program.report()["sinks"][0];
    assert_eq!((&sink["parked"], &sink["consecutiveFailures"]), (&0.into(), &0.into()), "{sink}");
    // Without the limit the rest goes at once.
    program.configure(&configured(&server, ""));
    until("all of them", || (server.got().len() == 32).then_some(()));
}
