"""What a tenant's conversations are kept in, as its settings say."""

from treadle.core.settings import Settings
from treadle.memory import AsyncRedis
from treadle.memory.bundle import Memory
from treadle.memory.saver import AesGcmCipher


def memory_of(redis: AsyncRedis, settings: Settings) -> Memory:
    """Return the memory of the tenant whose settings these are.

    Raises:
        ConfigError: it is to be encrypted, and there is no key.
    """
    threads = settings.threads
    cipher = None
    if threads.encryption != "off":
        cipher = AesGcmCipher.from_env(reads_plaintext=threads.encryption == "switching-on")
    return Memory(redis, prefix=settings.prefix, ttl=threads.keep, cipher=cipher)
