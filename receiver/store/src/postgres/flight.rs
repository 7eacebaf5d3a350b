//! Statements that go out together: one round trip, whatever their number.
use std::pin::Pin;

use futures::future::try_join_all;
use tokio_postgres::{
    Client, Row,
    types::{ToSql, Type},
};

use crate::postgres::fault::Fault;

/// A value for `$n`, and its type.
pub(super) type Parameter<'p> = (Box<dyn ToSql + Sync + Send + 'p>, Type);

type Answer<'f> = Pin<Box<dyn Future<Output = Result<Vec<Row>, tokio_postgres::Error>> + 'f>>;

/// Statements to be sent in their order, none waiting for the answer to the one before. The server carries them out one by
/// one; after one that fails, in a transaction, it refuses the rest. They are parsed as they come, under no name: that works
/// behind a pooler that gives each transaction another server process.
pub(super) struct Flight<'f> {
    client: &'f Client,
    answers: Vec<Answer<'f>>,
}

impl<'f> Flight<'f> {
    pub(super) fn new(client: &'f Client) -> Self {
        Self { client, answers: Vec::new() }
    }

    /// Adds a statement. Its rows have this place in what [`Flight::land`] gives.
    pub(super) fn ask(&mut self, statement: &'f str, parameters: Vec<Parameter<'f>>) -> usize {
        let client = self.client;
        self.answers.push(Box::pin(async move {
            use futures::TryStreamExt as _;
            client.query_typed_raw(statement, parameters).await?.try_collect().await
        }));
        self.answers.len() - 1
    }

    /// Adds statements without parameters, separated by semicolons; their rows are not given.
    pub(super) fn run(&mut self, statements: &'f str) {
        let client = self.client;
        self.answers.push(Box::pin(async move {
            client.batch_execute(statements).await?;
            Ok(Vec::new())
        }));
    }

    /// Sends all and waits for the answers: the rows of each.
    pub(super) async fn land(self) -> Result<Answers, Fault> {
        Ok(Answers(try_join_all(self.answers).await?))
    }
}

/// Rows by statement.
pub(super) struct Answers(Vec<Vec<Row>>);

impl Answers {
    /// The rows of the statement with this place.
    pub(super) fn take(&mut self, place: usize) -> Vec<Row> {
        self.0.get_mut(place).map(std::mem::take).unwrap_or_default()
    }
}

/// A value of this type.
pub(super) fn value<'p>(value: impl ToSql + Sync + Send + 'p, of: Type) -> Parameter<'p> {
    (Box::new(value), of)
}
