//! Access control lists as people type them: `scheme:id:perms,scheme:id:perms`.

use zabrus_core::wire::{Acl, Id, Permissions};

/// The entries, and complaints about what is none.
pub(super) fn parse(text: &str) -> (Vec<Acl>, Vec<String>) {
    let (mut acl, mut complaints) = (Vec::new(), Vec::new());
    for entry in text.trim_end_matches(',').split(',') {
        // An id may have colons in it.
        let parts = entry.split_once(':').and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once(':')?)));
        let Some((scheme, (id, letters))) = parts else {
            complaints.push(format!("{entry} does not have the form scheme:id:perm"));
            continue;
        };
        let mut perms = 0;
        for letter in letters.chars() {
            perms |= match letter {
                'r' => Permissions::READ,
                'w' => Permissions::WRITE,
                'c' => Permissions::CREATE,
                'd' => Permissions::DELETE,
                'a' => Permissions::ADMIN,
                other => {
                    complaints.push(format!("Unknown perm type: {other}"));
                    0
                }
            };
        }
        acl.push(Acl { perms, id: Id { scheme: scheme.to_owned(), id: id.to_owned() } });
    }
    (acl, complaints)
}

/// Everything for everybody.
pub(super) fn open() -> Vec<Acl> {
    vec![Acl { perms: Permissions::ALL, id: Id { scheme: "world".into(), id: "anyone".into() } }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_a_scheme_an_id_and_letters() {
        let (acl, complaints) = parse("world:anyone:cdrwa,digest:u:hash=:r");
        assert_eq!(acl[0], open()[0]);
        assert_eq!((acl[1].id.id.as_str(), acl[1].perms), ("u:hash=", Permissions::READ));
        assert_eq!(complaints, [""; 0]);
    }

    #[test]
    fn what_is_no_entry_is_said() {
        let (acl, complaints) = parse("world:anyone,ip:1.2.3.4:rz");
        assert_eq!(
            complaints,
            ["world:anyone does not have the form scheme:id:perm", "Unknown perm type: z"]
        );
        assert_eq!((acl.len(), acl[0].perms), (1, Permissions::READ));
    }
}
