using System.Collections.Immutable;

namespace Overlay.Gossip.Wire;

/// <summary>The keys that packets are sealed and opened with. The first seals; all open.</summary>
/// <param name="Keys">Each 16, 24 or 32 bytes; empty: plaintext.</param>
public sealed record Keyring(ImmutableArray<byte[]> Keys)
{
    public static readonly Keyring Plaintext = new([]);

    /// <summary>
    /// The first key is known to somebody who is no member any more, and a new one is on its way: nothing about keys is
    /// said under its seal.
    /// </summary>
    public bool IsRevoked { get; init; }

    public bool IsEncrypted => !Keys.IsDefaultOrEmpty;
}
