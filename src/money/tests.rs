use super::*;
use proptest::prelude::*;

fn rate(text: &str) -> Rate {
    Rate::per_million(Money::parse(text).unwrap())
}

#[test]
fn amounts_read_and_print_exactly() {
    for (text, nanos, shown) in [
        ("2000", 2_000_000_000_000, "2000"),
        ("0.05", 50_000_000, "0.05"),
        ("1,234.5", 1_234_500_000_000, "1234.5"),
        (".5", 500_000_000, "0.5"),
        ("12,345,678", 12_345_678_000_000_000, "12345678"),
        ("1_234", 1_234_000_000_000, "1234"),
        ("-1,234", -1_234_000_000_000, "-1234"),
        ("-0.000000001", -1, "-0.000000001"),
    ] {
        let money = Money::parse(text).unwrap();
        assert_eq!(money.nanos(), nanos);
        assert_eq!(money.to_string(), shown);
    }
}

#[test]
fn what_is_not_an_amount_is_refused() {
    for text in [
        "",
        ".",
        "1.2.3",
        "1e3",
        "0.0000000001",
        "12 USD",
        "99999999999999",
        "--1",
        "1-",
        "12,50",
        "0,05",
        "0,500",
        "1,5",
        "1.234,50",
        "1,2345",
        "1234,567",
        "1,,234",
        ",123",
        "123,",
        "1,234,",
        "1.5,000",
        "1.234,567",
        "1,234_567",
        "1_2",
        "_1",
        "1_",
    ] {
        assert_eq!(Money::parse(text), None, "{text}");
    }
}

#[test]
fn one_token_at_the_lowest_list_rate_is_not_lost_in_a_reservation() {
    let exact = Exact::default().plus(1, rate("0.003"));
    assert_eq!(exact.rounded_up().nanos(), 3);
    let halved = Exact::default().plus(1, rate("0.0015"));
    assert_eq!(halved.rounded_up().nanos(), 2);
    assert_eq!(halved.rounded_half_even().nanos(), 2, "1.5 goes to the even 2");
    assert_eq!(
        Exact::default().plus(1, rate("0.0005")).rounded_half_even().nanos(),
        0,
        "0.5 goes to the even 0"
    );
}

proptest! {
    #[test]
    fn a_comma_changes_no_amount(before in 1_u32..2_000, after in "[0-9]{1,5}") {
        let read = Money::parse(&format!("{before},{after}"));
        if before < 1_000 && after.len() == 3 {
            prop_assert_eq!(read, Money::parse(&format!("{before}{after}")));
        } else {
            prop_assert_eq!(read, None);
        }
    }

    #[test]
    fn printing_and_reading_are_inverse(nanos in any::<i64>().prop_filter("magnitude", |n| *n != i64::MIN)) {
        let money = Money::from_nanos(nanos);
        prop_assert_eq!(Money::parse(&money.to_string()), Some(money));
    }

    #[test]
    fn a_reservation_covers_the_bill_and_exceeds_it_by_under_one_nano(
        parts in proptest::collection::vec((0_u64..2_000_000, 0_i64..500_000_000_000), 0..6)
    ) {
        let exact = parts.iter().fold(Exact::default(), |sum, (tokens, nanos)| {
            sum.plus(*tokens, Rate::per_million(Money::from_nanos(*nanos)))
        });
        let total: i128 = parts.iter().map(|(t, n)| i128::from(*t) * i128::from(*n)).sum();
        let (up, even) = (exact.rounded_up(), exact.rounded_half_even());
        prop_assert!(up >= even);
        prop_assert!(up.nanos() - even.nanos() <= 1);
        prop_assert!(i128::from(up.nanos()) * TOKENS_PER_RATE - total < TOKENS_PER_RATE);
        prop_assert!((i128::from(even.nanos()) * TOKENS_PER_RATE - total).abs() * 2 <= TOKENS_PER_RATE);
    }

    #[test]
    fn rounding_does_not_depend_on_the_order_of_the_parts(
        parts in proptest::collection::vec((0_u64..2_000_000, 0_i64..500_000_000_000), 0..6)
    ) {
        let sum = |parts: &mut dyn Iterator<Item = &(u64, i64)>| parts.fold(Exact::default(), |sum, (tokens, nanos)| {
            sum.plus(*tokens, Rate::per_million(Money::from_nanos(*nanos)))
        });
        prop_assert_eq!(sum(&mut parts.iter()), sum(&mut parts.iter().rev()));
    }

    #[test]
    fn arithmetic_saturates_and_never_panics(a in any::<i64>(), b in any::<i64>(), n in any::<i64>(), d in any::<i64>()) {
        let (a, b) = (Money::from_nanos(a), Money::from_nanos(b));
        let _ = (a.plus(b), a.minus(b), a.scaled_down(n, d), a.share_of(b), a.to_string());
    }
}
