using System.Text.Json;
using Overlay.Gossip.Wire;

namespace Overlay.Tests.Gossip.Wire;

/// <summary>Bytes captured from an unmodified serf 0.9.4, in the clear and sealed.</summary>
internal sealed record WireVector(string Kind, byte[]? Key, byte[] Raw, byte[] Plaintext)
{
    public Keyring Keys => Key is null ? Keyring.Plaintext : new([Key]);

    public static IReadOnlyList<WireVector> All { get; } = Load();

    public bool IsDatagram => Kind.StartsWith("udp", StringComparison.Ordinal);

    /// <summary>All that it says; the unit alone where more bytes were captured behind it.</summary>
    public IReadOnlyList<GossipMessage> Decode()
    {
        List<GossipMessage> messages = [];
        if (IsDatagram)
        {
            Assert.True(PacketCodec.TryDecode(Raw, Keys, messages, out PacketRejection rejection), rejection.ToString());
            Assert.Equal(PacketRejection.None, rejection);
            return messages;
        }

        Assert.Equal(StreamMeasure.Complete, StreamCodec.TryMeasure(Raw, Keys, out int total));
        Assert.True(StreamCodec.TryDecode(Raw.AsSpan(0, total), Keys, out GossipMessage? message, out _));
        return [message];
    }

    private static List<WireVector> Load()
    {
        byte[] json = File.ReadAllBytes(Path.Combine("testdata", "memberlist-serf094.json"));
        using JsonDocument document = JsonDocument.Parse(json);
        List<WireVector> vectors = [];
        foreach (JsonElement element in document.RootElement.EnumerateArray())
        {
            string? key = element.GetProperty("key").GetString();
            vectors.Add(new(
                element.GetProperty("kind").GetString()!,
                key is null ? null : Convert.FromHexString(key),
                Convert.FromHexString(element.GetProperty("raw").GetString()!),
                Convert.FromHexString(element.GetProperty("plaintext").GetString()!)));
        }

        return vectors;
    }
}
