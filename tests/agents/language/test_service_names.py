import pytest

from agents.language.service_names import names_in

SHOP = ("checkout", "checkout-worker", "payments", "order-service", "mail")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payments is slow", ["payments"]),
        ("Payments' latency", ["payments"]),
        ("payments\u2019s latency", ["payments"]),
        ("_payments_ and *checkout*", ["checkout", "payments"]),
        ("checkout-worker hangs", ["checkout-worker"]),
        ("checkout worker hangs", ["checkout-worker"]),
        ("order_service answers 500", ["order-service"]),
        ("the order service", ["order-service"]),
        ("pod shop/payments-6c5d9f7b8-abcde restarts", ["payments"]),
        ("pod shop/checkout-worker-6c5d9f7b8-abcde restarts", ["checkout-worker"]),
        ("deployment=eu/payments", ["payments"]),
        ("eu-payments-nlb-unhealthy", ["payments"]),
        ("payments.shop.svc.cluster.local:8080 refuses", ["payments"]),
        ("https://payments.example.com/ answers 502", ["payments"]),
        ("決済paymentsが遅い", ["payments"]),
        ("тормозит payments.", ["payments"]),
        ("paymets fail", ["payments"]),
        ("chekcout fails", ["checkout"]),
        # A service that is named by itself is meant, not what an address or a longer word holds.
        ("payments is slow, see https://grafana.example.com/d/checkout", ["payments"]),
        ("mailing lists", []),
        ("repayments are late", []),
        ("we checked out", []),
        ("nothing here", []),
        ("", []),
    ],
)
def test_a_service_is_found_however_it_is_written(text: str, expected: list[str]) -> None:
    assert names_in(text, SHOP) == expected


def test_other_names_lead_to_the_service() -> None:
    assert names_in("the storefront is down", ("web",), {"storefront": "web"}) == ["web"]


def test_a_word_that_could_be_two_services_is_neither() -> None:
    assert names_in("payment is slow", ("payments", "payment1")) == []
