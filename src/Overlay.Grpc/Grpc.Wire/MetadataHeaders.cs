using System.Buffers.Text;
using System.Text;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>Metadata as HTTP/2 header fields, and back.</summary>
internal static class MetadataHeaders
{
    /// <summary>Whether a field belongs to the protocol and is none of the application's business.</summary>
    public static bool IsProtocolField(string name) => name.Length == 0 || name[0] == ':' || name switch
    {
        _ when Is(name, Protocol.StatusHeader) => true,
        _ when Is(name, Protocol.MessageHeader) => true,
        _ when Is(name, Protocol.TimeoutHeader) => true,
        _ when Is(name, Protocol.EncodingHeader) => true,
        _ when Is(name, Protocol.AcceptEncodingHeader) => true,
        _ when Is(name, "content-type") => true,
        _ when Is(name, "content-length") => true,
        _ when Is(name, "te") => true,
        _ when Is(name, "host") => true,
        _ => false,
    };

    /// <summary>The value of an entry on the wire.</summary>
    /// <exception cref="RpcException">The entry cannot be sent.</exception>
    public static string Encode(Metadata.Entry entry)
    {
        if (IsProtocolField(entry.Key))
        {
            throw new RpcException(new Status(
                StatusCode.Internal, $"The metadata key '{entry.Key}' belongs to the protocol; use another name."));
        }

        if (entry.IsBinary)
        {
            return Convert.ToBase64String(entry.BinaryValue);
        }

        return entry.Value.AsSpan().ContainsAnyExceptInRange(' ', '~')
            ? throw new RpcException(new Status(
                StatusCode.Internal,
                $"The metadata value of '{entry.Key}' is not printable ASCII; use a key that ends in "
                + $"'{Metadata.BinaryHeaderSuffix}'."))
            : entry.Value;
    }

    /// <summary>Adds what a peer sent; a field that is not metadata, or is malformed, is left out.</summary>
    public static void Decode(string name, string? value, Metadata metadata)
    {
        if (value is null || IsProtocolField(name))
        {
            return;
        }

        if (!name.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.OrdinalIgnoreCase))
        {
            if (IsKey(name))
            {
                metadata.Add(name, value);
            }

            return;
        }

        // A list of binary values may travel as one field, joined by commas, which base64 does not use.
        foreach (Range part in value.AsSpan().Split(','))
        {
            if (IsKey(name) && TryDecodeBase64(value.AsSpan(part).Trim(), out byte[] bytes))
            {
                metadata.Add(name, bytes);
            }
        }
    }

    /// <summary>Base64 with or without padding: senders may leave it out, receivers must accept both.</summary>
    private static bool TryDecodeBase64(ReadOnlySpan<char> text, out byte[] bytes)
    {
        ReadOnlySpan<char> digits = text.TrimEnd('=');
        byte[] padded = new byte[(digits.Length + 3) / 4 * 4];
        padded.AsSpan().Fill((byte)'=');
        bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(padded.Length)];
        if (digits.ContainsAnyExceptInRange('!', '~') || digits.Length % 4 == 1)
        {
            return false;
        }

        Encoding.ASCII.GetBytes(digits, padded);
        if (Base64.DecodeFromUtf8(padded, bytes, out _, out int written) != System.Buffers.OperationStatus.Done)
        {
            return false;
        }

        Array.Resize(ref bytes, written);
        return true;
    }

    private static bool IsKey(string name)
    {
        Span<char> lower = name.Length <= 256 ? stackalloc char[256] : new char[name.Length];
        int length = name.AsSpan().ToLowerInvariant(lower);
        return Metadata.Entry.IsValidKey(lower[..length]);
    }

    private static bool Is(string name, string other) => string.Equals(name, other, StringComparison.OrdinalIgnoreCase);
}
