using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Grpc.Core;

namespace Overlay.Daemon.Cli;

/// <summary>
/// The whole answer to a unary call of gRPC-Web: an HTTP/1.1 response (RFC 9112) whose body is one message and a frame
/// of trailers; a refusal may have its status in the headers instead (PROTOCOL-WEB.md of the gRPC project).
/// </summary>
/// <param name="Message">Null: there is none, as with a refusal.</param>
internal readonly record struct GrpcWebAnswer(Status Status, Metadata Trailers, byte[]? Message)
{
    private const string StatusField = "grpc-status";
    private const string MessageField = "grpc-message";
    private const byte TrailersFlag = 0x80;
    private const int FrameHeader = 5;

    /// <summary>What the key of an entry of metadata may have; anything else would be refused by its class.</summary>
    private static readonly SearchValues<char> KeyCharacters = SearchValues.Create("0123456789_-.abcdefghijklmnopqrstuvwxyz");

    /// <summary>False: it broke off, or is something else than an answer of gRPC.</summary>
    /// <param name="response">All that came, to the end of the connection.</param>
    public static bool TryRead(ReadOnlySpan<byte> response, out GrpcWebAnswer answer)
    {
        answer = default;
        int end = response.IndexOf("\r\n\r\n"u8);
        if (end < 0 || !response.StartsWith("HTTP/1.1 "u8)
            || !Utf8Parser.TryParse(response["HTTP/1.1 "u8.Length..end], out int code, out _))
        {
            return false;
        }

        // The status line is the first of the fields, and has no colon that could make it one.
        List<(string Name, string Value)> headers = FieldsOf(response[..end]);
        if (StatusOf(headers) is { } early)
        {
            answer = new(early, MetadataOf(headers), null);
            return true;
        }

        if (code != 200)
        {
            answer = new(new(OfHttp(code), $"it answered with HTTP status {code}"), Metadata.Empty, null);
            return true;
        }

        return TryReadBody(response[(end + 4)..], headers, out byte[] body) && TryReadFrames(body, out answer);
    }

    private static bool TryReadBody(ReadOnlySpan<byte> rest, List<(string Name, string Value)> headers, out byte[] body)
    {
        body = [];
        if (headers.Exists(static f => f.Name == "transfer-encoding"))
        {
            return headers.Exists(static f => f is { Name: "transfer-encoding", Value: "chunked" }) && TryDechunk(rest, out body);
        }

        string? length = headers.Find(static f => f.Name == "content-length").Value;
        if (length is not null
            && (!int.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out int bytes) || bytes != rest.Length))
        {
            return false;
        }

        body = rest.ToArray();
        return true;
    }

    /// <summary>RFC 9112, 7.1; what a last chunk may be followed by is not looked at.</summary>
    private static bool TryDechunk(ReadOnlySpan<byte> rest, out byte[] body)
    {
        body = [];
        using MemoryStream joined = new();
        while (true)
        {
            int line = rest.IndexOf("\r\n"u8);
            if (line <= 0 || !Utf8Parser.TryParse(rest[..line], out int length, out int digits, 'x') || length < 0
                || (digits < line && rest[digits] != ';'))
            {
                return false;
            }

            rest = rest[(line + 2)..];
            if (length == 0)
            {
                body = joined.ToArray();
                return true;
            }

            if (rest.Length - 2 < length || !rest[length..].StartsWith("\r\n"u8))
            {
                return false;
            }

            joined.Write(rest[..length]);
            rest = rest[(length + 2)..];
        }
    }

    private static bool TryReadFrames(ReadOnlySpan<byte> body, out GrpcWebAnswer answer)
    {
        answer = default;
        byte[]? message = null;
        while (body.Length >= FrameHeader)
        {
            byte flag = body[0];
            uint length = BinaryPrimitives.ReadUInt32BigEndian(body[1..]);
            body = body[FrameHeader..];
            if (length > body.Length)
            {
                return false;
            }

            ReadOnlySpan<byte> payload = body[..(int)length];
            body = body[(int)length..];
            if (flag == TrailersFlag)
            {
                List<(string Name, string Value)> trailers = FieldsOf(payload);
                answer = new(StatusOf(trailers) ?? default, MetadataOf(trailers), message);
                return body.IsEmpty && StatusOf(trailers) is not null;
            }

            if (flag != 0 || message is not null)
            {
                return false;
            }

            message = payload.ToArray();
        }

        return false;
    }

    private static List<(string Name, string Value)> FieldsOf(ReadOnlySpan<byte> text)
    {
        List<(string Name, string Value)> fields = [];
        foreach (Range range in text.Split("\r\n"u8))
        {
            ReadOnlySpan<byte> line = text[range];
            int colon = line.IndexOf((byte)':');
            if (colon > 0)
            {
                fields.Add((
                    Encoding.ASCII.GetString(line[..colon]).ToLowerInvariant(),
                    Encoding.ASCII.GetString(line[(colon + 1)..]).Trim()));
            }
        }

        return fields;
    }

    private static Status? StatusOf(List<(string Name, string Value)> fields)
    {
        if (fields.Find(static f => f.Name == StatusField).Value is not { } text)
        {
            return null;
        }

        string detail = Uri.UnescapeDataString(fields.Find(static f => f.Name == MessageField).Value ?? "");
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int code)
            && code is >= 0 and <= (int)StatusCode.Unauthenticated
            ? new Status((StatusCode)code, detail)
            : new Status(StatusCode.Unknown, detail);
    }

    private static Metadata MetadataOf(List<(string Name, string Value)> fields)
    {
        Metadata metadata = [];
        foreach ((string name, string value) in fields)
        {
            if (name.AsSpan().ContainsAnyExcept(KeyCharacters))
            {
                continue;
            }

            if (name.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.Ordinal))
            {
                byte[] bytes = new byte[value.Length];
                string padded = value.PadRight((value.Length + 3) / 4 * 4, '=');
                if (Convert.TryFromBase64String(padded, bytes, out int written))
                {
                    metadata.Add(name, bytes[..written]);
                }
            }
            else if (name is not (StatusField or MessageField) && !value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            {
                metadata.Add(name, value);
            }
        }

        return metadata;
    }

    /// <summary>http-grpc-status-mapping.md of the gRPC project.</summary>
    private static StatusCode OfHttp(int code) => code switch
    {
        400 => StatusCode.Internal,
        401 => StatusCode.Unauthenticated,
        403 => StatusCode.PermissionDenied,
        404 => StatusCode.Unimplemented,
        429 or 502 or 503 or 504 => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };
}
