//! The receiver as a process, and a client that says exactly what it is told to.
use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use boathook_verify::{RawRequest, Secret, Setup, Verifier, preset};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

/// Nothing here takes long; a machine may be slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// The secret of the folders that [`endpoint`] writes.
pub(crate) const SECRET: &str = "hush-hush";

/// A folder of configuration and one of data, and the program over them.
pub(crate) struct Program {
    child: Child,
    /// The public address, the private one, and that of the data API.
    pub(crate) public: SocketAddr,
    pub(crate) private: SocketAddr,
    pub(crate) api: SocketAddr,
    pub(crate) folders: Arc<TempDir>,
    logs: Lines,
    pub(crate) output: Lines,
}

/// Lines of a stream, as they come.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let into = lines.clone();
        thread::spawn(move || {
            BufReader::new(stream)
                .lines()
                .map_while(Result::ok)
                .for_each(|line| into.0.lock().unwrap().push(line));
        });
        lines
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Those whose member is this text.
    pub(crate) fn with(&self, member: &str, text: &str) -> Vec<Value> {
        self.all().into_iter().filter(|line| line[member] == text).collect()
    }
}

/// Looks again and again until there is something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Makes the two folders, with this configuration.
pub(crate) fn folders(configuration: &str) -> Arc<TempDir> {
    let folders = TempDir::new().unwrap();
    fs::create_dir(folders.path().join("config")).unwrap();
    configure(folders.path(), configuration);
    Arc::new(folders)
}

/// Writes the configuration as an editor does: whole, and then in its place.
pub(crate) fn configure(folders: &Path, configuration: &str) {
    let draft = folders.join("draft");
    fs::write(&draft, configuration).unwrap();
    fs::rename(draft, folders.join("config/all.yaml")).unwrap();
}

pub(crate) fn command(folders: &Path, arguments: &[&str]) -> Command {
    let mut command = bare_command(folders);
    command.arg("--config").arg(folders.join("config")).args(arguments);
    command
}

/// Without a word on where the objects come from.
pub(crate) fn bare_command(folders: &Path) -> Command {
    let mut command = Command::new(super::receiver_program());
    command
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--api", "127.0.0.1:0", "--log", "json"])
        .arg("--data")
        .arg(folders.join("data"))
        .env_clear()
        .stdin(Stdio::null());
    command
}

impl Program {
    /// Starts it with this configuration, and waits until it is ready.
    pub(crate) fn start(configuration: &str) -> Self {
        Self::start_in(folders(configuration), &[])
    }

    pub(crate) fn start_in(folders: Arc<TempDir>, arguments: &[&str]) -> Self {
        Self::run(command(folders.path(), arguments), folders)
    }

    /// Runs the command until it is ready.
    pub(crate) fn run(mut command: Command, folders: Arc<TempDir>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Lines::of(child.stdout.take().unwrap());
        let logs = Lines::of(child.stderr.take().unwrap());
        let ready = until("the program to be ready", || {
            assert_eq!(child.try_wait().unwrap(), None, "{:?}", logs.0.lock().unwrap());
            logs.with("message", "ready").pop()
        });
        let address = |member: &str| ready[member].as_str().unwrap().parse().unwrap();
        let [public, private, api] = ["listen", "admin", "api"].map(address);
        Self { public, private, api, child, folders, logs, output }
    }

    pub(crate) fn configure(&self, configuration: &str) {
        configure(self.folders.path(), configuration);
    }

    /// Waits for a log line with this message.
    pub(crate) fn logged(&self, message: &str) -> Value {
        until(message, || self.logs.with("message", message).pop())
    }

    pub(crate) fn logs(&self) -> Lines {
        self.logs.clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the program to end", || self.child.try_wait().unwrap())
    }

    /// Ends it as an orchestrator does, if it has not ended; gives its folders.
    pub(crate) fn stop(mut self) -> Arc<TempDir> {
        if self.child.try_wait().unwrap().is_none() {
            self.signal("TERM");
        }
        assert_eq!(self.wait().code(), Some(0));
        Arc::clone(&self.folders)
    }

    /// Ends it at once; gives its folders.
    pub(crate) fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Arc::clone(&self.folders)
    }

    /// Sends a genuine GitHub delivery to `/in`.
    pub(crate) fn send(&self, id: &str, event: &str, body: &str) -> Answer {
        Request::signed(id, event, body).send(self.public)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        Request::new("GET", path).send(self.private)
    }

    /// One of the data API's tokens, by its file.
    pub(crate) fn token(&self, name: &str) -> String {
        fs::read_to_string(self.folders.path().join("data/api-tokens").join(name)).unwrap()
    }

    /// Calls the data API as whoever may act.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut request = Request::new(method, path);
        request.body = body.into();
        request.header("Authorization", &format!("Bearer {}", self.token("operate"))).send(self.api)
    }

    pub(crate) fn report(&self) -> Value {
        self.get("/report").json()
    }

    /// One counter or gauge by its name and labels as Prometheus writes them; 0 when it is not there.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = String::from_utf8(self.get("/metrics").body).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, or a test has failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A request of HTTP/1.1, every byte of it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let host = ("Host".to_owned(), "hooks.example.com".to_owned());
        Self { method: method.into(), path: path.into(), headers: vec![host], body: Vec::new() }
    }

    /// What GitHub would send to `/in`.
    pub(crate) fn signed(id: &str, event: &str, body: &str) -> Self {
        Self::signed_with(SECRET, id, event, body)
    }

    pub(crate) fn signed_with(secret: &str, id: &str, event: &str, body: &str) -> Self {
        let mut request = Self::new("POST", "/in");
        request.body = body.into();
        request = request.header("X-GitHub-Delivery", id).header("X-GitHub-Event", event);
        request.sign("github", secret)
    }

    /// Adds what the provider's scheme adds.
    pub(crate) fn sign(mut self, provider: &str, secret: &str) -> Self {
        let secrets = [Secret { text: secret.as_bytes().to_vec().into(), not_before: None, not_after: None }];
        let setup = Setup { secrets: &secrets, ..Setup::default() };
        let verifier = Verifier::compile(&preset(provider).unwrap(), &setup).unwrap();
        let mut raw = RawRequest {
            method: Method::POST,
            path: "/".into(),
            query: None,
            headers: HeaderMap::new(),
            body: self.body.clone().into(),
        };
        for (name, value) in &self.headers {
            raw.headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        verifier.sign(&mut raw, Timestamp::now()).unwrap();
        let added = raw.headers.iter().filter(|(name, _)| {
            !self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name.as_str()))
        });
        let added: Vec<_> =
            added.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        self.headers.extend(added);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The bytes up to and with the empty line.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        self.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        let says_length = |(name, _): &(String, String)| {
            ["content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str())
        };
        if !self.headers.iter().any(says_length) {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        (head + "\r\n").into_bytes()
    }

    pub(crate) fn send(&self, to: SocketAddr) -> Answer {
        let mut stream = connect(to);
        // It may be answered, and the connection closed, before all was sent.
        drop(stream.write_all(&[self.head(), self.body.clone()].concat()));
        Answer::read(&mut stream)
    }
}

pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

impl Answer {
    pub(crate) fn read(stream: &mut impl Read) -> Self {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "the answer broke off: {head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Self { status, head, body: Vec::new() };
        answer.body = vec![0; answer.header("content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut answer.body).unwrap();
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        values.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status and public code.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(json["success"], false, "{json}");
        assert!(json["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{json}");
        (self.status, json["error"]["code"].as_str().unwrap().to_owned())
    }
}

/// A configuration: GitHub's deliveries at `/in`, with these further lines of the endpoint's spec, to sinks `out` (these
/// lines of its spec).
pub(crate) fn configuration(endpoint: &str, sink: &str) -> String {
    let indent = |text: &str| text.lines().map(|line| format!("  {}\n", line.trim_end())).collect::<String>();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: hook }}\nstringData: {{ secret: {SECRET}, other: other-secret, organisation: 00D3j0000002abC }}\n\
         ---\napiVersion: boathook.dev/v1alpha1\nkind: WebhookSink\nmetadata: {{ name: out }}\nspec:\n{}\
         ---\napiVersion: boathook.dev/v1alpha1\nkind: WebhookEndpoint\nmetadata: {{ name: in }}\nspec:\n  path: /in\n  \
         delivery: {{ sinks: [{{ name: out }}] }}\n{}",
        indent(sink),
        indent(endpoint),
    )
}

/// GitHub's endpoint.
pub(crate) const GITHUB: &str = "provider: github\nsecrets: [{ name: hook, key: secret }]";
