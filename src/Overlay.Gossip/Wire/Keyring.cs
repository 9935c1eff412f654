using System.Collections.Immutable;

namespace Overlay.Gossip.Wire;

/// <summary>The keys that packets are sealed and opened with. The first seals; all open.</summary>
/// <param name="Keys">Each 16, 24 or 32 bytes; empty: plaintext.</param>
public sealed record Keyring(ImmutableArray<byte[]> Keys)
{
    public static readonly Keyring Plaintext = new([]);

    public bool IsEncrypted => !Keys.IsDefaultOrEmpty;
}
