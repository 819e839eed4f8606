"""Texts with secrets and personal numbers, in the syntaxes in which logs, manifests, chats and command lines hold them;
and ordinary lines that look alike. All values are random and nobody's.

`«...»` marks what is secret. A template is filled with values that are drawn anew each time.
"""

import base64
import random
import re
import string
from collections.abc import Iterator
from typing import NamedTuple

_LETTERS = string.ascii_letters + string.digits
_BASE64 = _LETTERS + "+/"
_MARKED = re.compile("[«»]")
_FIELD = re.compile(r"\{(\w+)\}")


class Text(NamedTuple):
    """`spans` are what has to go from the text."""

    text: str
    spans: tuple[tuple[int, int], ...]


def texts_of(kind: str, each: int, seed: int = 5) -> Iterator[Text]:
    """Every template of the class, filled `each` times."""
    chance = random.Random(f"{seed} {kind}")  # noqa: S311 -- the same texts in each run
    for template in CLASSES[kind]:
        for _ in range(each):
            yield _marked(_FIELD.sub(lambda found: _value(found[1], chance), template))


def ordinary(each: int, seed: int = 5) -> Iterator[str]:
    """Lines from which nothing may go."""
    chance = random.Random(f"{seed} ordinary")  # noqa: S311 -- as above
    for template in ORDINARY:
        for _ in range(each):
            yield _FIELD.sub(lambda found: _value(found[1], chance), template)


def _marked(text: str) -> Text:
    spans: list[tuple[int, int]] = []
    plain = ""
    begin = 0
    at = 0
    for found in _MARKED.finditer(text):
        plain += text[at : found.start()]
        if found.group() == "«":
            begin = len(plain)
        else:
            spans.append((begin, len(plain)))
        at = found.end()
    return Text(plain + text[at:], tuple(spans))


def _value(field: str, chance: random.Random) -> str:  # noqa: PLR0911, PLR0912 -- a table
    def drawn(alphabet: str, count: int) -> str:
        return "".join(chance.choices(alphabet, k=count))

    match field:
        case "pw":
            return drawn(_LETTERS, 7) + chance.choice("!#%+-_.") + drawn(string.digits, 2) + drawn(_LETTERS, 2)
        case "words":
            return " ".join(chance.sample(["amber", "boat", "cedar", "drift", "ember", "fjord", "gravel"], 4))
        case "hex":
            return drawn("0123456789abcdef", 32)
        case "token":
            return drawn(_LETTERS, 40)
        case "line64":
            return drawn(_BASE64, 64)
        case "n":
            return drawn("123456789", 1)
        case "n3":
            return drawn("123456789", 3)
        case "n4":
            return drawn("123456789", 4)
        case "n6":
            return drawn("123456789", 6)
        case "n7":
            return drawn("123456789", 7)
        case "n8":
            return drawn("123456789", 8)
        case "A":
            return drawn("ABCEGHJKLMNPRTVWXY", 1)
        case "AA":
            return drawn("ABCEGHJKLMNPRTVWXY", 2)
        case "host":
            return chance.choice(["db-1", "10.0.3.7", "cache.internal", "db.example.com"])
        case "var":
            return chance.choice(
                ["DB_PASSWORD", "API_TOKEN", "CLIENT_SECRET", "REDIS_PASSWORD", "SMTP_PASS", "WEBHOOK_SECRET"]
            )
        case "plainvar":
            return chance.choice(["LOG_LEVEL", "REGION", "WORKERS", "FEATURE_CART"])
        case "time":
            return f"2026-11-05 02:{chance.randrange(10, 60)}:{chance.randrange(10, 60)}"
        case "card":
            return _card(chance)
        case "card4":
            card = _card(chance)
            return " ".join(card[at : at + 4] for at in range(0, 16, 4))
        case "b64pw":
            return _encoded(f"password={drawn(_LETTERS, 12)}!")
        case "b64json":
            return _encoded(f'{{"user": "app", "api_token": "{drawn(_LETTERS, 32)}"}}')
        case "b64url":
            return _encoded(f"postgres://app:{drawn(_LETTERS, 14)}@db.example.com:5432/shop")
        case "b64aws":
            return _encoded(f"[default]\naws_access_key_id = AKIA{drawn(string.ascii_uppercase, 16)}\n")
        case "b64text":
            return _encoded(" ".join(chance.choices(["shipment", "parcel", "cart", "order", "item"], k=9)))
        case "mail":
            return f"{chance.choice(['mia', 'o.smith', 'dev+ops'])}@{chance.choice(['acme.io', 'mail.example.co.uk'])}"
        case _:
            raise KeyError(field)


def _card(chance: random.Random) -> str:
    body = [4, *(chance.randrange(10) for _ in range(14))]
    doubled = [digit * 2 - 9 * (digit > 4) if not at % 2 else digit for at, digit in enumerate(body)]
    return "".join(map(str, [*body, -sum(doubled) % 10]))


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CLASSES: dict[str, tuple[str, ...]] = {
    "name and value": (
        "    - name: {var}\n      value: «{pw}»\n    - name: {plainvar}\n      value: info",
        '    - name: {plainvar}\n      value: info\n    - name: {var}\n      value: "«{pw}»"',
        '"environment":[{"name":"{var}","value":"«{pw}»"},{"name":"{plainvar}","value":"eu-1"}]',
        '{"value": "«{pw}»", "name": "{var}"}',
        "{'name': '{var}', 'value': '«{pw}»'}",
        '{\\"name\\":\\"{var}\\",\\"value\\":\\"«{pw}»\\"}',
        "ParameterKey={var},ParameterValue=«{pw}»",
        '"ParameterKey": "{var}",\n"ParameterValue": "«{pw}»"',
        "<property><name>{var}</name><value>«{pw}»</value></property>",
        '<add key="{var}" value="«{pw}»" />',
        'env {\n  name  = "{var}"\n  value = "«{pw}»"\n}',
        "{time} started container with [{Name:{var} Value:«{pw}» ValueFrom:nil}]",
        'env: { name: "{var}" value: "«{pw}»" }',
        "msg=setenv name={var} value=«{pw}» pod=a-1",
        '{"Key": "{var}", "Type": "String", "Value": "«{pw}»"}',
        "| name: {var} | value: «{pw}» |",
    ),
    "yaml block": (
        "password: |\n  «{pw}»\nuser: app",
        "stringData:\n  db-password: |-\n    «{pw}»\n  user: app",
        "client_secret: >-\n  «{token}»\nregion: eu",
        "credentials: |\n  «{words}»\n  «{pw}»\nnext: 1",
        "app:\n  api_token: |2\n    «{token}»\n  url: https://x.example.com",
        "config: {plainvar}\nsecret_key: >\n   «{token}»\n",
        "- password: |+\n    «{pw}»\n- user: app",
        'spec:\n  "admin-password": |  # rotated yearly\n    «{pw}»\n  replicas: 2',
        "password: |\\n  «{pw}»\\nuser: app",
    ),
    "continuation": (
        "password:\n  «{pw}»",
        "password=\\\n    «{pw}»",
        "mysqldump --user=app --password \\\n  «{pw}» shop",
        "export DB_PASSWORD=\\\n«{pw}»",
        "db.password = \\\n  «{pw}»",
        "Authorization: Bearer\r\n «{token}»",
        "--token \\\n   «{token}» \\\n   --verbose",
        "api_token:\n    «{token}»",
        'client_secret: \n  "«{token}»"',
    ),
    "command line": (
        "mysql -h {host} -u root -p«{pw}» shop",
        "mysqldump -uapp -p'«{pw}»' --all-databases > dump.sql",
        "sshpass -p «{pw}» ssh deploy@{host}",
        'sshpass -p "«{pw}»" scp a deploy@{host}:/tmp',
        "redis-cli -h {host} -a «{pw}» ping",
        "docker login -u ci -p «{pw}» registry.example.com",
        "podman login --username ci -p «{pw}» registry.example.com",
        "mongodump --host {host} -u app -p «{pw}» --out /backup",
        "mongosh mongodb://{host}/shop -u app -p '«{pw}»'",
        "sqlcmd -S {host} -U sa -P «{pw}» -Q 'select 1'",
        "ldapsearch -x -D cn=admin,dc=acme -w «{pw}» -b dc=acme",
        "openssl rsa -in key.pem -passin pass:«{pw}» -out k.pem",
        "openssl enc -aes-256-cbc -k «{pw}» -in a -out b",
        "7z x -p«{pw}» backup.7z",
        "unzip -P «{pw}» backup.zip",
        "curl -u app:«{pw}» https://{host}/status",
        "curl --user 'app:«{pw}»' https://{host}/status",
        "keytool -list -keystore a.jks -storepass «{pw}»",
        "keytool -genkey -alias a -keypass «{pw}» -storepass «{pw}»",
        "smbclient //{host}/share -U app%«{pw}» -c ls",
        "htpasswd -bc /etc/nginx/htpasswd app «{pw}»",
        "rabbitmqctl add_user app «{pw}»",
        "net user deploy «{pw}» /add",
        "xfreerdp /v:{host} /u:app /p:«{pw}»",
        "ipmitool -I lanplus -H {host} -U admin -P «{pw}» power status",
        "kubectl create secret generic db --from-literal=password=«{pw}»",
        "kubectl create secret generic db --from-literal=dsn=«{pw}»",
        "echo «{pw}» | docker login -u ci --password-stdin",
        "echo 'deploy:«{pw}»' | sudo chpasswd",
        "lftp -u app,«{pw}» ftp.example.com",
        "snmpwalk -v3 -u app -A «{pw}» -X «{pw}» {host}",
        'psql "host={host} user=app password=«{pw}»"',
        "PGPASSWORD=«{pw}» psql -h {host} -U app",
        "wget --user=app --password=«{pw}» https://{host}/a",
        "gpg --batch --passphrase «{pw}» -d a.gpg",
        "{time} CMD (root) /usr/bin/mysqladmin -uroot -p«{pw}» ping",
        "[INFO] executing: sudo mysql -u root -p«{pw}» -e 'show processlist'",
    ),
    "oracle": (
        "jdbc:oracle:thin:scott/«{pw}»@//{host}:1521/shop",
        "jdbc:oracle:thin:scott/«{pw}»@{host}:1521:shop",
        "url=jdbc:oracle:oci:app_user/«{pw}»@shop_high",
        "sqlplus scott/«{pw}»@shop",
        "sqlplus -s scott/«{pw}»@//{host}:1521/shop @check.sql",
        "expdp app/«{pw}»@shop schemas=app dumpfile=a.dmp",
        "exp userid=app/«{pw}»@shop full=y",
        "sqlldr app/«{pw}»@shop control=load.ctl",
        "SQL> connect scott/«{pw}»@shop",
        'dsn "oracle://app:«{pw}»@{host}:1521/shop"',
    ),
    "key tail": (
        "«{line64}\n{line64}\n{line64}\nQ7xk2a==\n-----END RSA PRIVATE KEY-----»\nnext line",
        "«{line64}\n{line64}\n-----END OPENSSH PRIVATE KEY-----»",
        "started\n«{line64}\n{line64}\n-----END PRIVATE KEY-----»",
        "key: «{line64}\\n{line64}\\n-----END EC PRIVATE KEY-----»\\n",
        "«-----BEGIN RSA PRIVATE KEY-----\n{line64}\n{line64}\n{line64}»\nnext line of the log",
    ),
    "putty key": (
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 2\n«{line64}\n{line64}»\n",
        "Public-Lines: 1\nAAAAC3NzaC1lZDI1\nPrivate-Lines: 1\n«{line64}»\nPrivate-MAC: «{hex}»",
        "«{line64}\n{line64}\nPrivate-MAC: {hex}»\n",
    ),
    "base64": (
        "decoded payload «{b64pw}» of the job",
        'config="«{b64json}»"',
        "data: «{b64json}»",
        "DSN_B64=«{b64url}»",
        "echo «{b64aws}» | base64 -d > ~/.aws/credentials",
        '{"body":"«{b64json}»","isBase64Encoded":true}',
        "user-data: «{b64pw}»",
    ),
    "card number": (
        "card «{card}» declined",
        "card=«{card4}»",
        "pan: «{card}»",
        "visa«{card}» refused",
        "cc-«{card}»",
        "CARD#«{card}»",
        '"cardNumber":"«{card}»"',
        "paid with «4111.1111.1111.1111» today",
        "paid with «4111  1111  1111  1111» today",
        "paid with «4111-1111-1111-1111» today",
        "amex «3782 822463 10005»",
        "amex «3782.822463.10005»",
        "number=«5555  5555  5555  4444»",
    ),
    "card code": (
        "cvv=«{n3}»",
        "CVV: «{n3}»",
        '"cvv2":"«{n3}»"',
        "cvc «{n3}» does not match",
        "cardCvv: «{n4}»",
        "security code is «{n3}»",
        "card security code: «{n3}»",
        '{"securityCode": "«{n4}»"}',
        "card verification value «{n3}»",
        "cvn='«{n3}»'",
        "<cvv>«{n3}»</cvv>",
    ),
    "one-time code": (
        "Your verification code is «{n6}»",
        "Your Acme login code: «{n6}».",
        "OTP «{n6}» sent to +4930123456",
        "otp=«{n6}»",
        '"otp":"«{n4}»"',
        "one-time password: «{n6}»",
        "«{n6}» is your Acme verification code",
        "«G-{n6}» is your Google verification code",
        "Use «{n6}» to verify your account",
        "enter code «{n6}» to sign in",
        "2FA code «{n3} {n3}»",
        "mfa_code=«{n6}»",
        "sms code for mia@acme.io is «{n6}»",
        "PIN: «{n4}»",
        "backup code: «{n4}{n4}»",
        "authentication code = «{n6}»",
        "password reset code «{n8}»",
        "TAN: «{n6}»",
    ),
    "medical record": (
        "MRN: «{n8}»",
        "mrn=«{n7}»",
        '"mrn": "«{n8}»"',
        "MRN#«{n6}»",
        "medical record number «{n8}»",
        "Medical Record No. «{AA}{n7}»",
        '"medicalRecordNumber":"«{n8}»"',
        "patient id «{n7}» not found",
        "patient_id=«{n8}»",
        "Patient number: «{n6}-{n}»",
    ),
    "passport": (
        "passport «{A}{n8}»",
        "passport number: «{n8}{n}»",
        "Passport No. «{AA}{n7}»",
        '"passportNumber":"«{A}{n8}»"',
        "passport_no=«{n8}{n}»",
        "passport id «{A}{n7}»",
        "Reisepass Nr. «C01X{n}{n}T{n}{n}»",
        "passport # «{n8}{n}»",
        "passport is «{A}{n8}»",
    ),
    "health number": (
        "NHS number «943 476 5919»",
        "nhs_number=«{n}{n}{n8}»",
        '"nhsNumber":"«{n}{n}{n8}»"',
        "NHS No: «{n3}-{n3}-{n4}»",
        "Medicare number «1EG4-TE5-MK73»",
        "medicare_id: «1EG4TE5MK73»",
        "MBI «1EG4-TE5-MK72»",
        "health card «{n4}-{n3}-{n3}-{AA}»",
        "OHIP: «{n4} {n3} {n3} {AA}»",
        "Krankenversichertennummer «{A}{n8}{n}»",
        "health insurance number: «{A}{n8}{n}»",
        "Medicaid ID «{AA}{n8}»",
    ),
    "national number": (
        "National Insurance number «QQ {n}{n} {n}{n} {n}{n} C»",
        "nino=«QQ{n6}C»",
        "aadhaar: «{n4} {n4} {n4}»",
        "driver's license «{A}{n7}»",
        "driving licence number «{A}{n8}»",
        "tax id «{n}{n}-{n7}»",
        "TIN: «{n}{n}-{n7}»",
        "national id: «{n8}{n}»",
        "identity card no. «{A}{n8}»",
        "SIN: «{n3} {n3} {n3}»",
        "ssn «219-09-9999»",
        "social security number: «219099999»",
        "CPF: «{n3}.{n3}.{n3}-{n}{n}»",
    ),
}

ORDINARY: tuple[str, ...] = (
    "partition key: user#{n4}abcd{n4}",
    "partition_key={hex} offset={n6}",
    "PartitionKey: order-{n8} SortKey: item-{n4}",
    "cache key: session:ab{n}{n}cd{n}{n} missing",
    "key=user:{n4}:cart evicted",
    "cache miss for key product:{n6}:price:v2",
    "redis key cart:{n4}:items expired after 300 s",
    "idempotency key {hex} seen before",
    "primary key ({n4}, {n6}) violates constraint users_pkey",
    "kind: Secret\nmetadata:\n  name: db-password-{n4}\n  namespace: shop",
    "secretName: db-password",
    "    valueFrom:\n      secretKeyRef:\n        name: db-password\n        key: password",
    "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: ...",
    '{"name":"DB_PASSWORD","valueFrom":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"}',
    "arn:aws:iam::123456789012:role/api-token-rotator",
    "secret arn:aws:secretsmanager:us-east-1:{n6}{n6}:secret:prod/db-password-AbC{n}eF rotated",
    "token arn:aws:sns:eu-west-1:{n6}{n6}:alerts used",
    "took 123-45-6789 ms",
    "rows 219-09-9999 of the table were read",
    "count=219-09-9999",
    "part number 219-09-9999 out of stock",
    "order id 4111111111111111 shipped",
    "trace_id={hex} span_id={n8}{n8}",
    "error code {n6} from upstream",
    "exit code {n3}, status code 50{n}",
    "zip code {n4}{n} not served",
    "GPIO PIN 13 is high",
    "security code path not reached, {n3} ms",
    "passport.js strategy local took {n3} ms",
    "patient retry of job {n6} after {n} s",
    "health check of {host} took {n3} ms",
    "license server answered in {n3} ms",
    "insurance-service pool {n}/10",
    "mysql -h {host} -u app -p shop",
    "ssh -p 2222 deploy@{host}",
    "docker run -p 8080:80 nginx",
    "unzip -p archive.zip file.txt",
    "connect 10.0.0.1/24 refused",
    "exp backoff/retry of {n} s",
    "echo started | tee log",
    "password: |",
    "reset password of user {n4}: link sent",
    "blob {b64text} stored",
    'etag "{hex}" matches',
    "image registry.example.com/pay@sha256:{hex}{hex}",
    "name=checkout value={n4} unit=ms",
    "metric name: queue_length, value: {n4}",
    "- name: LOG_LEVEL\n  value: debug",
    '{"name":"max_tokens","value":"{n4}"}',
    "-----BEGIN CERTIFICATE-----\n{line64}\n{line64}\n-----END CERTIFICATE-----",
    "2026-11-05T02:41:08.123456Z INFO 4111 1111 1111 1112 is no card",
    "versions 4.1.11.1111 and 2026.1105.1234.5678",
    "tan(1.5) = 14.1014, otp application started on port 4369",
)
