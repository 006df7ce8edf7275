//! What version 1 wrote is read as what it means now.

use motey_core::capability::Lease;
use motey_core::record::{Revision, RevisionOrder, ServiceRecord};

use crate::codec::{decode, encode};

/// As version 1 wrote them, letter by letter.
const RECORD: &str = r#"{"v":1,"id":"00000000-0000-0000-0000-000000000abc","name":"Zelle 7","desired":"running","stamp":{"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"version":5},"revision":{"number":2,"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"spec":{"images":[{"key":"vision","image":"/usr/bin/vision","engines":["process"],"replicas":2,"need":{"all":[{"has":{"name":"camera","kind":"hardware","take":"one"}},{"has":{"name":"memory","take":{"amount":18446744073709551615}}}]},"params":{"command":["--fast"],"environment":{"MODE":"day\nnight"},"working_dir":"/srv","stop":{"signal":"SIGINT","grace_ms":500}},"restart":"on_failure"},{"key":"plain","image":"true","replicas":1,"need":{"all":[]},"params":{"stop":{"grace_ms":10000}},"restart":"never"}],"source":{"format":"yaml","text":"images: []\n"}},"scaled":{"vision":3}},"slots":{"vision-0":{"node":"00000000-0000-0000-0000-000000000007","engine":"process","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.1","revision":2}},"dismissed":[{"slot":"vision-1","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.2","node":"00000000-0000-0000-0000-000000000007","engine":"process"}],"holders":["00000000-0000-0000-0000-000000000007"],"ended":{"plain-0":"succeeded","vision-2":{"gave_up":{"code":"exit.code","text":"exited with 3, five times"}}}}"#;
const TOMBSTONE: &str = r#"{"v":1,"id":"00000000-0000-0000-0000-000000000abc","name":"Zelle 7","desired":"absent","stamp":{"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"version":5},"revision":{"number":2,"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"spec":{"images":[],"source":{"format":"yaml","text":"images: []\n"}}},"holders":["00000000-0000-0000-0000-000000000007"]}"#;
const LEASE: &str = r#"{"v":1,"source":"host-facts","name":"dongle","unit":"1-4.2","amount":1,"holder":{"service":"00000000-0000-0000-0000-000000000abc","slot":"vision-0","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.1"}}"#;

fn record(text: &str) -> ServiceRecord {
    decode(text.as_bytes()).expect("it can be read")
}

/// Nothing of an image was ever changed then, so that what runs is what is wanted, whatever its number.
#[test]
fn every_instance_of_an_old_record_is_one_of_its_revision() {
    let scaled_later = RECORD.replace(r#".1","revision":2}"#, r#".1","revision":1}"#);
    assert_ne!(scaled_later, RECORD);
    for text in [RECORD, scaled_later.as_str()] {
        let record = record(text);
        let order: RevisionOrder =
            "2.1.00000000-0000-0000-0000-000000000007.3-0000beef".parse().expect("an order");
        assert_eq!(record.revision.order, order);
        assert_eq!(record.revision.since, [order, order]);
        let assigned = record.slots.values().next().expect("a slot");
        assert_eq!((assigned.revision, assigned.pinned, &assigned.from), (order, false, &None));
        assert_eq!((record.heir, record.unproven), (None, false));
        assert_eq!((record.dismissed.len(), record.holders.len(), record.ended.len()), (1, 1, 2));
        assert_eq!(record.revision.scaled.len(), 1);
    }
}

#[test]
fn what_is_read_in_the_old_form_is_written_in_the_new_one() {
    for text in [RECORD, TOMBSTONE] {
        let record = record(text);
        let now = encode(&record).expect("it can be written");
        assert!(now.starts_with(r#"{"v":2,"#), "{now}");
        assert_eq!(self::record(&now), record);
    }
    let lease: Lease = decode(LEASE.as_bytes()).expect("it can be read");
    let now = encode(&lease).expect("it can be written");
    assert_eq!(now, LEASE.replacen(r#""v":1"#, r#""v":2"#, 1));
}

#[test]
fn each_version_is_read_by_its_own_rules() {
    let newer = RECORD.replacen(r#""v":1"#, r#""v":2"#, 1);
    assert!(decode::<ServiceRecord>(newer.as_bytes()).is_err(), "a mere number says too little now");
    let older = encode(&record(RECORD)).expect("it can be written").replacen(r#""v":2"#, r#""v":1"#, 1);
    assert!(decode::<ServiceRecord>(older.as_bytes()).is_err());
    assert!(decode::<Revision>(br#"{"v":0}"#).is_err());
}
