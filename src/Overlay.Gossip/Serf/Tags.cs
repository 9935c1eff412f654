using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>
/// serf's names for what a member says of itself, in its meta: 0xff and a MessagePack map of texts; a meta without the
/// mark is the one tag "role". Ours have the tag <see cref="BootKey"/>: a serf agent that passes a description on drops
/// the keys it does not know, but never the meta, so this is how the boot id survives.
/// </summary>
public static class Tags
{
    /// <summary>Marks a node of ours; its value is the boot id in hexadecimal.</summary>
    public const string BootKey = "overlayd";
    private const byte Mark = 0xff;
    private const int MaxTags = 64;

    private static ReadOnlySpan<byte> BootKeyBytes => "overlayd"u8;

    public static byte[] Encode(IReadOnlyDictionary<string, string> tags)
    {
        ArrayBufferWriter<byte> output = new(128);
        output.Write([Mark]);
        MsgPackWriter writer = new(output);
        writer.MapHeader(tags.Count);
        foreach ((string key, string value) in tags.OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            writer.String(key);
            writer.String(value);
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>Sorted; empty where the meta is none that can be read.</summary>
    public static ImmutableSortedDictionary<string, string> Decode(ReadOnlySpan<byte> meta)
    {
        ImmutableSortedDictionary<string, string>.Builder tags =
            ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        if (meta is not [Mark, .. var map])
        {
            if (!meta.IsEmpty)
            {
                tags["role"] = Encoding.UTF8.GetString(meta);
            }

            return tags.ToImmutable();
        }

        MsgPackReader reader = new(map);
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && i < MaxTags && !reader.Failed; i++)
        {
            string key = reader.ReadString(WireLimits.MaxMeta);
            string value = reader.ReadString(WireLimits.MaxMeta);
            if (!reader.Failed)
            {
                tags[key] = value;
            }
        }

        return reader.Failed ? tags.ToImmutable().Clear() : tags.ToImmutable();
    }

    /// <summary>The meta with this boot id, where it has one; else as it is.</summary>
    internal static byte[] WithBoot(byte[] meta, ulong bootId)
    {
        ImmutableSortedDictionary<string, string> tags = Decode(meta);
        return tags.ContainsKey(BootKey)
            ? Encode(tags.SetItem(BootKey, bootId.ToString("x", CultureInfo.InvariantCulture)))
            : meta;
    }

    /// <summary>0: it is a foreigner's.</summary>
    internal static ulong BootOf(ReadOnlySpan<byte> meta)
    {
        if (meta is not [Mark, .. var map])
        {
            return 0;
        }

        MsgPackReader reader = new(map);
        ReadOnlySpan<byte> last = [];
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && i < MaxTags && !reader.Failed; i++)
        {
            bool isBoot = reader.ReadRaw(WireLimits.MaxMeta).SequenceEqual(BootKeyBytes);
            ReadOnlySpan<byte> value = reader.ReadRaw(WireLimits.MaxMeta);
            last = isBoot ? value : last;
        }

        return !reader.Failed
            && ulong.TryParse(last, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong boot) ? boot : 0;
    }
}
