"""Certificates of the test's own: an authority, what it signs, OCSP responses, and contexts for both sides."""

import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow().replace(microsecond=0)
DAY = datetime.timedelta(days=1)
KEYS = {
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def pem_of(key, password=None):
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def write(path, data, mode=0o600):
    """As an operator's tool does: a new file takes the old one's place."""
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)
    return path


class Certificate:
    """A certificate and its key, in files that root alone may read."""

    def __init__(self, directory, name, cert, key, chain=b""):
        self.x509, self.private = cert, key
        self.pem = cert.public_bytes(serialization.Encoding.PEM) + chain
        self.key_pem = pem_of(key)
        self.cert = write(os.path.join(directory, name + ".pem"), self.pem)
        self.key = write(os.path.join(directory, name + ".key"), self.key_pem)

    @property
    def der(self):
        return self.x509.public_bytes(serialization.Encoding.DER)

    def entry(self, **more):
        """As `listeners[].tls.certificates` wants it."""
        return {"certificate": self.cert, "key": self.key, **more}

    def replace(self, other):
        """The files get another certificate and its key."""
        write(self.cert, other.pem)
        write(self.key, other.key_pem)


class Authority:
    def __init__(self, directory, name="test authority"):
        self.directory = directory
        self.private = KEYS["ec"]()
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self.name, self.private, NOW - DAY, NOW + 30 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.x509 = builder.sign(self.private, hashes.SHA256())
        self.pem = self.x509.public_bytes(serialization.Encoding.PEM)
        self.file = write(os.path.join(directory, name.replace(" ", "-") + ".pem"), self.pem, 0o644)

    def _builder(self, subject, key, since, until):
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(since).not_valid_after(until)
        )  # fmt: skip

    def issue(self, *names, file=None, key="ec", days=(-1, 30), client=False, subject=None):
        """A certificate for these names (DNS names or IP addresses), valid between those days from now. `subject`: a
        common name, or a whole x509.Name (which needs `file`)."""
        private = KEYS[key]()
        common = subject
        if not isinstance(subject, x509.Name):
            common = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or names[0])])
        builder = self._builder(common, private, NOW + days[0] * DAY, NOW + days[1] * DAY)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            san = [x509.IPAddress(ipaddress.ip_address(n)) if is_ip(n) else x509.DNSName(n) for n in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=False)
        cert = builder.sign(self.private, hashes.SHA256())
        return Certificate(self.directory, file or (names or (subject,))[0].replace("*", "_"), cert, private)

    def ocsp(self, certificate, file):
        """A response that says `good`, DER."""
        builder = ocsp.OCSPResponseBuilder().add_response(
            certificate.x509, self.x509, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, NOW, NOW + DAY, None, None
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.x509)
        response = builder.sign(self.private, hashes.SHA256())
        return write(os.path.join(self.directory, file), response.public_bytes(serialization.Encoding.DER))

    # -- contexts --
    def client(self, alpn=(), cert=None, **kw):
        """A client's context that believes this authority alone."""
        context = ssl.create_default_context(cafile=self.file)
        return self._finish(context, alpn, cert, **kw)

    def server(self, cert, alpn=("http/1.1",), **kw):
        """An origin's context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        return self._finish(context, alpn, cert, **kw)

    @staticmethod
    def _finish(context, alpn, cert, minimum=None, maximum=None, ciphers=None):
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if cert:
            context.load_cert_chain(cert.cert, cert.key)
        if ciphers:
            context.set_ciphers(ciphers)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python sets it, and would take a truncation for an end
        context.minimum_version = minimum or ssl.TLSVersion.TLSv1_2
        context.maximum_version = maximum or ssl.TLSVersion.TLSv1_3
        return context


def is_ip(name):
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
