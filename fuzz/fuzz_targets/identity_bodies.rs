//! Bytes to all that is read of identity: requests for tokens, access rules with a path to hold against them, and what a
//! Keystone answers. No panic, and what reads of ours, reads back.

#![no_main]

use api::identity::TokenRequest;
use libfuzzer_sys::fuzz_target;
use model::access_rule::AccessRule;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<TokenRequest>(bytes) {
        let text = serde_json::to_vec(&request).unwrap();
        assert!(serde_json::from_slice::<TokenRequest>(&text).is_ok());
    }
    let _ = iotronic::identity::keystone::read_answer(bytes);
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (rule, path) = bytes.split_at(end);
    if let Ok(rule) = serde_json::from_slice::<AccessRule>(rule) {
        let path = String::from_utf8_lossy(path);
        let said = rule.text();
        let _ = rule.allows(&said.service, &said.method, &path);
        let has_signs = said.path.contains(['*', '{']);
        assert!(has_signs || rule.allows(&said.service, &said.method, &said.path));
    }
});
