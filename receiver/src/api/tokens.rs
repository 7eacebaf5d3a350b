//! Who may call: two tokens, in two files. They are read at each call, so that a change counts at once.
use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use boathook_api::{Code, Problem, Role};
use http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::limits::{TOKEN_BYTES_MAX, TOKEN_BYTES_MIN};

/// The file of the token that may read.
const VIEW: &str = "view";
/// The file of the token that may act, too.
const OPERATE: &str = "operate";

/// The folder of the tokens; without one nobody is admitted.
#[derive(Debug, Clone)]
pub(crate) struct Tokens(Option<PathBuf>);

impl Tokens {
    /// Those of a folder that somebody keeps. A file that is missing admits nobody.
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self(Some(folder))
    }

    /// None at all.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Those of the data folder, for whoever may read it; made where there are none.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn in_data(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join("api-tokens");
        let make = || -> io::Result<()> {
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            [VIEW, OPERATE].iter().try_for_each(|name| make_token(&folder.join(name)))
        };
        make().with_context(|| format!("cannot make the API's tokens in {}", folder.display()))?;
        Ok(Self::of(folder))
    }

    /// What the caller may do.
    pub(super) async fn role(&self, headers: &HeaderMap) -> Result<Role, Problem> {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| value.split_once(' '));
        let Some((_, token)) = sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Err(self.unauthorized("no token was sent"));
        };
        let token = digest(token.trim());
        let (operate, view) = (self.digest(OPERATE).await, self.digest(VIEW).await);
        let is = |known: Option<[u8; 32]>| known.is_some_and(|known| known.ct_eq(&token).into());
        match (is(operate), is(view)) {
            (true, _) => Ok(Role::Operate),
            (false, true) => Ok(Role::View),
            (false, false) => Err(self.unauthorized("the token is not known")),
        }
    }

    fn unauthorized(&self, what: &str) -> Problem {
        let next = match &self.0 {
            Some(folder) => format!(
                "send `Authorization: Bearer …` with what stands in the file `view` or `operate` of {}",
                folder.display()
            ),
            None => "this receiver has no tokens: start it with --api-tokens DIR, a folder with the files `view` and \
                     `operate`"
                .into(),
        };
        Problem::new(Code::Unauthorized, what, next)
    }

    /// `None` where there is no usable token: then nobody has it.
    async fn digest(&self, name: &str) -> Option<[u8; 32]> {
        let file = self.0.as_ref()?.join(name);
        let read = tokio::task::spawn_blocking(move || fs::read_to_string(file).map(Zeroizing::new));
        let text = read.await.ok()?.ok()?;
        let token = text.trim();
        (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len()).then(|| digest(token))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// A token that nobody can guess, in a file for its owner alone; one that is there stays.
fn make_token(file: &Path) -> io::Result<()> {
    let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut open) => open.write_all(token.as_bytes()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn role(tokens: &Tokens, value: &str) -> Option<Role> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("visible ASCII"))]);
        tokens.role(&headers).await.ok()
    }

    #[tokio::test]
    async fn a_token_is_for_what_its_file_says_and_a_change_counts_at_once() -> anyhow::Result<()> {
        let data = tempfile::tempdir()?;
        let tokens = Tokens::in_data(data.path())?;
        let text = |name: &str| fs::read_to_string(data.path().join("api-tokens").join(name));
        let (view, operate) = (text(VIEW)?, text(OPERATE)?);
        assert!(view != operate && view.len() == 43);
        assert_eq!(role(&tokens, &format!("Bearer {view}")).await, Some(Role::View));
        assert_eq!(role(&tokens, &format!("bearer {operate}")).await, Some(Role::Operate));
        for wrong in
            ["Bearer", "Bearer ", "Bearer x", &format!("Basic {operate}"), &format!("Bearer {operate}x")]
        {
            assert_eq!(role(&tokens, wrong).await, None, "{wrong}");
        }
        // A second start keeps them; a new one counts, the old one does not.
        let tokens = Tokens::in_data(data.path())?;
        assert_eq!(text(VIEW)?, view);
        fs::write(data.path().join("api-tokens/view"), "0123456789abcdef\n")?;
        assert_eq!(role(&tokens, "Bearer 0123456789abcdef").await, Some(Role::View));
        assert_eq!(role(&tokens, &format!("Bearer {view}")).await, None);
        Ok(())
    }

    #[tokio::test]
    async fn a_file_that_is_missing_empty_or_short_admits_nobody() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let tokens = Tokens::of(folder.path().to_owned());
        fs::write(folder.path().join(VIEW), "")?;
        assert_eq!(role(&tokens, "Bearer ").await, None);
        fs::write(folder.path().join(VIEW), "short")?;
        assert_eq!(role(&tokens, "Bearer short").await, None);
        Ok(())
    }
}
