//! Changes, applied all or none.

use tessera_protocol::message::{Datum, HoldTerms, Mutation, RequestBody, UnknownTags};

use crate::track::Track;

/// Changes of users, applied in order, all or none.
///
/// A write carries an idempotency key, made when it begins, so that it can be sent again after a
/// broken connection, by the client or with a clone of it, and is still done once.
///
/// ```
/// use tessera_client::Write;
///
/// let write = Write::new().tag("u1", ["vip"]).set("u1", [("age", 30)]).untag("u2", ["vip"]);
/// # let _ = write;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a write does nothing until it is given to a client"]
pub struct Write {
    idempotency_key: Option<[u8; 16]>,
    unknown_tags: UnknownTags,
    mutations: Vec<Mutation>,
}

impl Default for Write {
    fn default() -> Self {
        Self::new()
    }
}

impl Write {
    /// A write without changes, with a random idempotency key.
    pub fn new() -> Self {
        Self::of(Vec::new())
    }

    /// A write of these changes, with a random idempotency key.
    pub fn of(mutations: Vec<Mutation>) -> Self {
        Self {
            idempotency_key: Some(rand::random()),
            unknown_tags: UnknownTags::Refuse,
            mutations,
        }
    }

    /// Uses this idempotency key, such as one that the program keeps over its own restarts.
    pub fn idempotency_key(mut self, key: [u8; 16]) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// Uses no idempotency key: the write is never repeated, and the server remembers nothing.
    pub fn without_idempotency_key(mut self) -> Self {
        self.idempotency_key = None;
        self
    }

    /// Defines tags that are not defined, instead of refusing the write.
    pub fn defining_tags(mut self) -> Self {
        self.unknown_tags = UnknownTags::Define;
        self
    }

    /// Makes sure that the user exists.
    pub fn ensure(self, user: impl Into<String>) -> Self {
        self.mutation(Mutation::Ensure { user: user.into() })
    }

    /// Gives the user tags.
    pub fn tag<T: Into<String>>(
        self,
        user: impl Into<String>,
        tags: impl IntoIterator<Item = T>,
    ) -> Self {
        self.mutation(Mutation::Tag {
            user: user.into(),
            tags: texts(tags),
        })
    }

    /// Gives the user tags on these terms: since when, until when, and on whose word.
    pub fn hold<T: Into<String>>(
        self,
        user: impl Into<String>,
        tags: impl IntoIterator<Item = T>,
        terms: HoldTerms,
    ) -> Self {
        self.mutation(Mutation::Hold {
            user: user.into(),
            tags: texts(tags),
            terms,
        })
    }

    /// Takes tags from the user.
    pub fn untag<T: Into<String>>(
        self,
        user: impl Into<String>,
        tags: impl IntoIterator<Item = T>,
    ) -> Self {
        self.mutation(Mutation::Untag {
            user: user.into(),
            tags: texts(tags),
        })
    }

    /// Notes what a user did.
    ///
    /// ```
    /// use tessera_client::{Track, Write};
    ///
    /// let write = Write::new()
    ///     .track(Track::new("u1", "login"))
    ///     .track(Track::new("u1", "view").with("page", "/shoes"));
    /// # let _ = write;
    /// ```
    pub fn track(self, event: Track) -> Self {
        self.mutation(event.into())
    }

    /// Sets attributes; [`Datum::Null`] clears one.
    pub fn set<N: Into<String>, V: Into<Datum>>(
        self,
        user: impl Into<String>,
        values: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let values = values
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        self.mutation(Mutation::Set {
            user: user.into(),
            values,
        })
    }

    /// Adds values to a multi attribute.
    pub fn add<V: Into<Datum>>(
        self,
        user: impl Into<String>,
        attribute: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.mutation(Mutation::Add {
            user: user.into(),
            attribute: attribute.into(),
            values,
        })
    }

    /// Removes values from a multi attribute.
    pub fn remove<V: Into<Datum>>(
        self,
        user: impl Into<String>,
        attribute: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.mutation(Mutation::Remove {
            user: user.into(),
            attribute: attribute.into(),
            values,
        })
    }

    /// Deletes the user.
    pub fn delete_user(self, user: impl Into<String>) -> Self {
        self.mutation(Mutation::DeleteUser { user: user.into() })
    }

    /// Appends any change.
    pub fn mutation(mut self, mutation: Mutation) -> Self {
        self.mutations.push(mutation);
        self
    }

    /// Changes in it.
    pub fn len(&self) -> usize {
        self.mutations.len()
    }

    /// Whether there is no change in it.
    pub fn is_empty(&self) -> bool {
        self.mutations.is_empty()
    }

    pub(crate) fn into_body(self) -> RequestBody {
        RequestBody::Write {
            idempotency_key: self.idempotency_key,
            unknown_tags: self.unknown_tags,
            mutations: self.mutations,
        }
    }
}

fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Vec<String> {
    texts.into_iter().map(Into::into).collect()
}
