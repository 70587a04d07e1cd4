//! Many reviews at once.

use std::num::NonZeroUsize;
use std::sync::Barrier;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Served, config, policy, reviewing};

const YES: &str = r#"{"accepted":true,"valid":true}"#;

#[test]
fn what_the_queue_does_not_take_is_turned_away_at_once() {
    let mut config = config();
    config.queue.concurrent = NonZeroUsize::MIN;
    config.queue.waiting = 1;
    let files = [("loop.wat", reviewing("(loop $l (br $l)) (i32.const 1)"))];
    let served = Served::with(config, &files, "loop: { module: ./loop.wat, timeout: 2s }\n");
    let barrier = Barrier::new(6);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            served.review("/validate/loop").status
        };
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    // One runs and one waits, at least; the others may have come before the thread took the first.
    assert!(
        statuses.iter().all(|status| [200, 429].contains(status)),
        "{statuses:?}"
    );
    assert!(
        statuses.iter().filter(|status| **status == 429).count() >= 3,
        "{statuses:?}"
    );
    assert!(
        served
            .metric("wharf_admission_refused_total{reason=\"queue_full\"}")
            .is_some()
    );
}

#[test]
fn the_time_in_the_queue_counts() {
    let mut config = config();
    config.queue.concurrent = NonZeroUsize::MIN;
    let files = [
        ("loop.wat", reviewing("(loop $l (br $l)) (i32.const 1)")),
        ("yes.wat", policy(YES)),
    ];
    let served = Served::with(
        config,
        &files,
        "loop: { module: ./loop.wat, timeout: 3s }\nquick: { module: ./yes.wat, timeout: 200ms }\n",
    );
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| served.review("/validate/loop"));
        std::thread::sleep(Duration::from_millis(300));
        let answer = served.review("/validate/quick");
        assert_eq!(answer.response()["status"]["code"], json!(500));
        // It was answered before the thread was free.
        assert!(!slow.is_finished());
        assert_eq!(slow.join().unwrap().response()["status"]["code"], json!(500));
    });
    assert_eq!(
        served.review("/validate/quick").response()["allowed"],
        json!(true)
    );
}

#[test]
fn a_policy_that_is_slow_holds_up_its_own_reviews_and_no_others() {
    let mut config = config();
    config.queue.concurrent = NonZeroUsize::new(2).unwrap();
    let files = [
        ("loop.wat", reviewing("(loop $l (br $l)) (i32.const 1)")),
        ("yes.wat", policy(YES)),
    ];
    let served = Served::with(
        config,
        &files,
        "loop: { module: ./loop.wat, timeout: 4s }\nquick: { module: ./yes.wat, timeout: 2s }\n",
    );
    std::thread::scope(|scope| {
        let slow: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| served.review("/validate/loop")))
            .collect();
        // One has its policy's one thread, and the others wait although there is another.
        assert!((0..3_000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            served.metric("wharf_admission_reviews_waiting 3").is_some()
        }));
        for _ in 0..20 {
            let answer = served.review("/validate/quick");
            assert_eq!(answer.response()["allowed"], json!(true));
        }
        for slow in slow {
            assert_eq!(slow.join().unwrap().response()["status"]["code"], json!(500));
        }
    });
}

#[test]
fn a_thousand_clients_are_answered() {
    let mut config = config();
    config.queue.waiting = 2_000;
    let served = Served::with(
        config,
        &[("yes.wat", policy(YES))],
        "yes: { module: ./yes.wat }\n",
    );
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..1_000)
            .map(|_| {
                let client = std::thread::Builder::new().stack_size(256 << 10);
                client
                    .spawn_scoped(scope, || served.review("/validate/yes"))
                    .unwrap()
            })
            .collect();
        for client in clients {
            assert_eq!(client.join().unwrap().response()["allowed"], json!(true));
        }
    });
}

#[test]
fn a_drained_server_finishes_what_is_under_way() {
    let files = [("loop.wat", reviewing("(loop $l (br $l)) (i32.const 1)"))];
    let mut served = Served::new(&files, "loop: { module: ./loop.wat, timeout: 1s }\n");
    let address = served.address();
    let client = std::thread::spawn(move || {
        crate::harness::send(
            address,
            "POST",
            "/validate/loop",
            &crate::harness::pod("default").to_string(),
        )
    });
    std::thread::sleep(Duration::from_millis(300));
    let server = served.server.take().unwrap();
    server.drain();
    server.join();
    assert_eq!(client.join().unwrap().response()["status"]["code"], json!(500));
    assert!(std::net::TcpStream::connect(address).is_err());
}
