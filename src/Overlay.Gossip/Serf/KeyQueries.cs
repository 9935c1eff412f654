using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>
/// serf's rotation of the gossip key, by queries: install, use, remove, list. Whoever holds the key may ask; that is
/// what the key means.
/// </summary>
internal sealed class KeyQueries(Outbox outbox)
{
    public const string Install = "_serf_install-key";
    public const string Use = "_serf_use-key";
    public const string Remove = "_serf_remove-key";
    public const string List = "_serf_list-keys";

    /// <summary>As many as a cluster holds.</summary>
    private const int MaxKeys = 3;
    private const int KeyBytes = 32;

    public static string NameOf(KeyQuestion question) => question switch
    {
        KeyQuestion.Install => Install,
        KeyQuestion.Use => Use,
        KeyQuestion.Remove => Remove,
        _ => List,
    };

    /// <summary>The answer; null where the query is none of these.</summary>
    public byte[]? Answer(string query, ReadOnlySpan<byte> payload, GossipEffects e)
    {
        if (query is not (Install or Use or Remove or List))
        {
            return null;
        }

        Keyring ring = outbox.Keyring;
        if (!ring.IsEncrypted)
        {
            return Refusal("No keyring to modify (encryption not enabled)");
        }

        if (ring.IsRevoked)
        {
            return Refusal("The key is being replaced, because a node was removed");
        }

        if (query == List)
        {
            string[] keys = [.. ring.Keys.Select(Convert.ToBase64String)];
            return SerfWriter.KeyResponse(true, "", keys, keys[0]);
        }

        if (!SerfReader.TryReadKey(payload, out byte[] key))
        {
            return Refusal("The key request cannot be read");
        }

        int held = ring.Keys.ToList().FindIndex(k => k.AsSpan().SequenceEqual(key));
        (Keyring? changed, string problem) = query switch
        {
            Install when held >= 0 => (ring, ""),
            Install when key.Length != KeyBytes => (null, $"This node takes keys of {KeyBytes} bytes"),
            Install when ring.Keys.Length >= MaxKeys => (null, $"This node holds {MaxKeys} keys; remove one first"),
            Install => (new Keyring(ring.Keys.Add(key)), ""),
            // As serf has it. The cluster's word may have come first.
            Remove when held < 0 => (ring, ""),
            _ when held < 0 => (null, "Requested key is not in the keyring"),
            Use => (new Keyring(ring.Keys.RemoveAt(held).Insert(0, ring.Keys[held])), ""),
            Remove when held == 0 => (null, "Removing the primary key is not allowed"),
            _ => (new Keyring(ring.Keys.RemoveAt(held)), ""),
        };
        if (changed is null)
        {
            return Refusal(problem);
        }

        if (!ring.Keys.SequenceEqual(changed.Keys))
        {
            outbox.SetKeyring(changed);
            e.Events.Add(new GossipEvent.KeyringChanged(changed));
        }

        return SerfWriter.KeyResponse(true, "", [], "");
    }

    private static byte[] Refusal(string text) => SerfWriter.KeyResponse(false, text, [], "");
}
