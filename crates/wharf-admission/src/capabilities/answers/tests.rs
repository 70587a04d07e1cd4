use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

use super::*;
use crate::capabilities::error::AskError;

const HOUR: Duration = Duration::from_secs(3_600);

impl Question for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}

fn answers(count: usize, bytes: usize) -> Answers<String, Arc<[u8]>> {
    Answers::new(Bounds {
        keep: HOUR,
        count,
        bytes,
    })
}

fn value(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

async fn ask(
    answers: &Answers<String, Arc<[u8]>>,
    key: &str,
    age: Age,
    text: &'static str,
) -> (String, Origin) {
    let fetch = async move { Ok(value(text)) };
    let (found, origin) = answers.get(key.into(), age, fetch).await.unwrap();
    (String::from_utf8(found.to_vec()).unwrap(), origin)
}

#[tokio::test]
async fn an_answer_is_kept_for_its_time() {
    let answers = answers(10, 1_000);
    let hour = Age::UpTo(HOUR);
    assert_eq!(ask(&answers, "a", hour, "1").await, ("1".into(), Origin::Fetched));
    assert_eq!(ask(&answers, "a", hour, "2").await, ("1".into(), Origin::Kept));
    assert_eq!(ask(&answers, "b", hour, "3").await, ("3".into(), Origin::Fetched));
    assert_eq!(
        ask(&answers, "a", Age::UpTo(Duration::ZERO), "4").await,
        ("4".into(), Origin::Fetched)
    );
    assert_eq!(answers.known(&"a".into(), HOUR), Some(value("4")));
    assert_eq!(answers.known(&"a".into(), Duration::ZERO), None);
}

#[tokio::test]
async fn a_fresh_answer_takes_the_place_of_the_one_that_was_kept() {
    let answers = answers(10, 1_000);
    ask(&answers, "a", Age::UpTo(HOUR), "1").await;
    assert_eq!(
        ask(&answers, "a", Age::None, "2").await,
        ("2".into(), Origin::Fetched)
    );
    assert_eq!(
        ask(&answers, "a", Age::UpTo(HOUR), "3").await,
        ("2".into(), Origin::Kept)
    );

    let gone = async { Err(AskError::NoVerdict) };
    assert_eq!(
        answers.get("a".into(), Age::None, gone).await,
        Err(AskError::NoVerdict)
    );
    assert_eq!(answers.known(&"a".into(), HOUR), None, "what is gone is not kept");
}

#[tokio::test]
async fn an_answer_that_was_asked_for_earlier_does_not_replace_a_later_one() {
    let answers = answers(10, 1_000);
    let (release, held) = oneshot::channel::<()>();
    let slow = answers.clone();
    let slow = tokio::spawn(async move {
        let fetch = async move {
            held.await.unwrap();
            Ok(value("old"))
        };
        slow.get("a".into(), Age::None, fetch).await
    });
    tokio::task::yield_now().await;
    ask(&answers, "a", Age::None, "new").await;
    release.send(()).unwrap();
    slow.await.unwrap().unwrap();
    assert_eq!(answers.known(&"a".into(), HOUR), Some(value("new")));
}

#[tokio::test]
async fn those_who_ask_at_the_same_time_share_one_fetching() {
    let answers = answers(10, 1_000);
    let fetched = Arc::new(AtomicUsize::new(0));
    let (release, held) = oneshot::channel::<()>();
    let held = async move {
        held.await.unwrap();
    }
    .shared();
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let (answers, fetched, held) = (answers.clone(), Arc::clone(&fetched), held.clone());
            tokio::spawn(async move {
                let fetch = async move {
                    fetched.fetch_add(1, Ordering::SeqCst);
                    held.await;
                    Ok(value("1"))
                };
                answers.get("a".into(), Age::UpTo(HOUR), fetch).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    for one in asking {
        assert_eq!(one.await.unwrap().unwrap().0, value("1"));
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    assert!(answers.lock().running.is_empty());
}

#[tokio::test]
async fn a_fetching_goes_on_for_as_long_as_somebody_waits() {
    let answers = answers(10, 1_000);
    let (release, held) = oneshot::channel::<()>();
    let (first, second) = (answers.clone(), answers.clone());
    let first = tokio::spawn(async move {
        let fetch = async move {
            held.await.unwrap();
            Ok(value("1"))
        };
        first.get("a".into(), Age::UpTo(HOUR), fetch).await
    });
    tokio::task::yield_now().await;
    let second = tokio::spawn(async move {
        let never = async { panic!("it is being fetched already") };
        second.get("a".into(), Age::UpTo(HOUR), never).await
    });
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    assert_eq!(second.await.unwrap(), Ok((value("1"), Origin::Joined)));
}

#[tokio::test]
async fn a_fetching_that_nobody_waits_for_is_broken_off_and_forgotten() {
    let answers = answers(10, 1_000);
    let (dropped, seen) = oneshot::channel::<()>();
    let alone = answers.clone();
    let alone = tokio::spawn(async move {
        let fetch = async move {
            let _dropped = dropped;
            std::future::pending().await
        };
        alone.get("a".into(), Age::UpTo(HOUR), fetch).await
    });
    tokio::task::yield_now().await;
    assert_eq!(answers.lock().running.len(), 1);
    alone.abort();
    assert!(seen.await.is_err());
    assert!(answers.lock().running.is_empty());
    assert_eq!(ask(&answers, "a", Age::UpTo(HOUR), "2").await.0, "2");
}

#[tokio::test]
async fn errors_are_not_kept() {
    let answers = answers(10, 1_000);
    let failed = async { Err(AskError::NoVerdict) };
    assert!(answers.get("a".into(), Age::UpTo(HOUR), failed).await.is_err());
    assert_eq!(
        ask(&answers, "a", Age::UpTo(HOUR), "1").await,
        ("1".into(), Origin::Fetched)
    );
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    let few = answers(3, 1_000);
    for number in 0..100 {
        ask(&few, &format!("k{number}"), Age::UpTo(HOUR), "1").await;
        let state = few.lock();
        assert!(
            state.known.len() <= 3 && state.order.len() <= 6,
            "{}",
            state.order.len()
        );
    }
    assert_eq!(few.known(&"k99".into(), HOUR), Some(value("1")));

    // Two answers of five bytes, each with its key.
    let small = answers(100, 12);
    for key in ["a", "b", "c"] {
        ask(&small, key, Age::UpTo(HOUR), "12345").await;
    }
    assert_eq!(small.known(&"a".into(), HOUR), None, "the oldest made room");
    assert_eq!(small.known(&"c".into(), HOUR), Some(value("12345")));
    ask(&small, "d", Age::UpTo(HOUR), "more than twelve bytes").await;
    assert_eq!(
        small.known(&"d".into(), HOUR),
        None,
        "one that is too large is only passed on"
    );
    assert_eq!(small.known(&"c".into(), HOUR), Some(value("12345")));

    // The same one, again and again.
    for _ in 0..100 {
        ask(&few, "x", Age::None, "1").await;
        assert!(few.lock().order.len() <= 6);
    }
    let state = few.lock();
    let weights: usize = state.known.keys().map(|key| key.len() + 1).sum();
    assert_eq!(state.bytes, weights);
}

#[tokio::test]
async fn what_was_asked_takes_room_too() {
    let answers = answers(100, 1_000);
    for number in 0..20 {
        let key = format!("{number}{}", "x".repeat(400));
        ask(&answers, &key, Age::UpTo(HOUR), "1").await;
        let state = answers.lock();
        assert!(state.bytes <= 1_000 && state.known.len() <= 2, "{}", state.bytes);
    }
}
