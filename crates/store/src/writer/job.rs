//! What the writer is given to do.

use crate::author::{self, Author};
use crate::{Error, Tx};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Whether a job's changes stay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Undo,
}

/// Something to write.
pub(crate) trait Job: Send {
    /// On whose behalf.
    fn author(&self) -> Option<Arc<Author>>;
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Verdict>;
    /// Called once, after the commit (or instead of it, with the reason).
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

/// A job whose caller waits for the result.
pub(crate) struct Call<F, T, E> {
    job: Option<F>,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
    author: Option<Arc<Author>>,
}

impl<F, T, E> Call<F, T, E> {
    pub(crate) fn new(job: F, answer: oneshot::Sender<Result<T, E>>) -> Self {
        Self { job: Some(job), result: None, answer, author: author::current() }
    }
}

impl<F, T, E> Job for Call<F, T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
{
    fn author(&self) -> Option<Arc<Author>> {
        self.author.clone()
    }

    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Verdict> {
        Box::pin(async move {
            let Some(job) = self.job.take() else { return Verdict::Undo };
            let result = job(tx).await;
            let verdict = if result.is_ok() { Verdict::Keep } else { Verdict::Undo };
            self.result = Some(result);
            verdict
        })
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let result = match (self.result, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) => Err(error),
            (None, Ok(())) => Err(Error::Faulted("the job did not come to its end".into()).into()),
            (_, Err(error)) => Err(error.into()),
        };
        // A caller that went away does not want to know.
        let _ = self.answer.send(result);
    }
}

/// A job nobody waits for.
pub(crate) struct Behind<F>(Option<F>, Option<Arc<Author>>);

impl<F> Behind<F> {
    pub(crate) fn new(job: F) -> Self {
        Self(Some(job), author::current())
    }
}

impl<F> Job for Behind<F>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(), Error>> + Send + 'static,
{
    fn author(&self) -> Option<Arc<Author>> {
        self.1.clone()
    }

    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Verdict> {
        Box::pin(async move {
            let Some(job) = self.0.take() else { return Verdict::Undo };
            match job(tx).await {
                Ok(()) => Verdict::Keep,
                Err(error) => {
                    tracing::warn!(%error, "a write behind failed");
                    Verdict::Undo
                }
            }
        })
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        if let Err(error) = committed {
            tracing::warn!(%error, "a write behind was lost");
        }
    }
}
