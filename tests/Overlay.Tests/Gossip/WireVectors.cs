using System.Text.Json;
using Overlay.Gossip.Wire;

namespace Overlay.Tests.Gossip;

/// <summary>Bytes captured from an unmodified serf 0.9.4, in the clear and sealed.</summary>
internal sealed record WireVector(string Kind, byte[]? Key, byte[] Raw, byte[] Plaintext)
{
    public Keyring Keys => Key is null ? Keyring.Plaintext : new([Key]);

    public static IReadOnlyList<WireVector> All { get; } = Load();

    private static List<WireVector> Load()
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine("testdata", "memberlist-serf094.json")));
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
