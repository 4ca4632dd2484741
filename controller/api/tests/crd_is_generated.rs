//! The committed file in `manifests/crd` is what the types generate.

#[test]
fn committed_crd_is_what_the_types_generate() {
    let path = signpost_testing::repository()
        .unwrap()
        .join("manifests/crd/podnetworks.signpost.dev.yaml");
    let generated = signpost_api::crd_yaml().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "manifests/crd/podnetworks.signpost.dev.yaml is not what the types in controller/api \
         generate: run `UPDATE=1 cargo test -p signpost-api --test crd_is_generated` and commit \
         the file"
    );
}
