//! Posts that Bridgy Fed carries between Mastodon and Bluesky. The copy says what it is a copy of, so it is read as that
//! post: under one id, it counts once, whichever of the two is seen first. <https://fed.brid.gy/docs>

use crate::post::{Post, PostKey};
use reqwest::Url;

/// On ActivityPub, a Bluesky post has this before its AT-URI.
const OF_BLUESKY: &str = "https://bsky.brid.gy/convert/ap/at://";
const POSTS: &str = "app.bsky.feed.post";

/// The Bluesky post behind the ActivityPub `uri` of a bridged one, and its author's DID.
pub fn bluesky_original(uri: &str) -> Option<(PostKey, String)> {
    let mut parts = uri.strip_prefix(OF_BLUESKY)?.split('/');
    let (did, collection, rkey) = (parts.next()?, parts.next()?, parts.next()?);
    if !did.starts_with("did:") || collection != POSTS || rkey.is_empty() || parts.next().is_some() {
        return None;
    }
    let id = format!("at://{did}/{POSTS}/{rkey}");
    Some((PostKey { source: "bluesky".to_owned(), id }, did.to_owned()))
}

/// The Mastodon post behind the link to the original that a bridged record holds: `https://host/@user/1` is the page of
/// `https://host/users/user/statuses/1`. Links of another form belong to other servers, or to blogs: none.
///
/// Anyone can write such a link into a record, so it says which post this is, but not who wrote it.
pub fn mastodon_original(link: &str) -> Option<PostKey> {
    let url = Url::parse(link).ok().filter(|url| url.scheme() == "https")?;
    let host = url.host_str()?;
    let segments: Vec<&str> = url.path_segments()?.collect();
    let (user, id) = match segments.as_slice() {
        [user, id] => (user.strip_prefix('@')?, id),
        ["users", user, "statuses", id] => (*user, id),
        _ => return None,
    };
    let named =
        !user.is_empty() && !user.contains('@') && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let id = format!("https://{host}/users/{user}/statuses/{id}");
    named.then(|| PostKey { source: "mastodon".to_owned(), id })
}

/// Makes a bridged copy the post that it is a copy of. Its own id stays known, since deletions may tell that one.
pub fn restore(copy: &mut Post, original: PostKey) {
    copy.copied_as = Some(Box::new(copy.key()));
    copy.source = original.source;
    copy.id = original.id;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_lead_to_the_original() {
        let (key, author) =
            bluesky_original("https://bsky.brid.gy/convert/ap/at://did:plc:abc/app.bsky.feed.post/3k").unwrap();
        assert_eq!((key.source.as_str(), key.id.as_str()), ("bluesky", "at://did:plc:abc/app.bsky.feed.post/3k"));
        assert_eq!(author, "did:plc:abc");
        for link in ["https://social.example/@ann/17", "https://social.example/users/ann/statuses/17"] {
            let key = mastodon_original(link).unwrap();
            assert_eq!(
                (key.source.as_str(), key.id.as_str()),
                ("mastodon", "https://social.example/users/ann/statuses/17")
            );
        }
    }

    #[test]
    fn what_is_no_post_of_the_other_network_is_left_alone() {
        for uri in [
            "https://bsky.brid.gy/convert/ap/at://did:plc:abc/app.bsky.actor.profile/self",
            "https://bsky.brid.gy/convert/ap/at://did:plc:abc/app.bsky.feed.post/",
            "https://bsky.brid.gy/convert/ap/at://abc/app.bsky.feed.post/3k",
            "https://bsky.brid.gy/convert/ap/at://did:plc:abc/app.bsky.feed.post/3k/likes",
            "https://evil.example/convert/ap/at://did:plc:abc/app.bsky.feed.post/3k",
        ] {
            assert_eq!(bluesky_original(uri), None, "{uri}");
        }
        for link in [
            "https://blog.example/2026/11/outage",
            "https://social.example/@ann",
            "https://social.example/@ann@other.example/17",
            "https://social.example/@ann/17/embed",
            "https://social.example/@ann/seventeen",
            "http://social.example/@ann/17",
            "no link",
        ] {
            assert_eq!(mastodon_original(link), None, "{link}");
        }
    }
}
