using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Grpc.Core;

namespace Overlay.Tests.Grpc;

/// <summary>A call made of bytes, to say what no client would.</summary>
internal static class RawCall
{
    public sealed record Answer(HttpStatusCode HttpStatus, StatusCode? Status, byte[] Body);

    public static byte[] Frame(IMessage message, byte flag = 0) => Frame(message.ToByteArray(), flag);

    public static byte[] Frame(byte[] payload, byte flag = 0, uint? length = null)
    {
        byte[] frame = new byte[5 + payload.Length];
        frame[0] = flag;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), length ?? (uint)payload.Length);
        payload.CopyTo(frame, 5);
        return frame;
    }

    public static HttpRequestMessage Request(
        EchoServer server, byte[] body, string method = "Unary", string contentType = "application/grpc")
    {
        HttpRequestMessage request = new(HttpMethod.Post, new Uri(server.Address, $"/overlay.tests.Echo/{method}"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        request.Headers.TryAddWithoutValidation("te", "trailers");
        return request;
    }

    public static async Task<Answer> SendAsync(EchoServer server, HttpRequestMessage request)
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using HttpResponseMessage response = await server.Http().SendAsync(request, stop);
        byte[] body = await response.Content.ReadAsByteArrayAsync(stop);
        string? status = Field(response.TrailingHeaders) ?? Field(response.Headers);
        return new Answer(
            response.StatusCode,
            status is null ? null : (StatusCode)int.Parse(status, CultureInfo.InvariantCulture),
            body);
    }

    private static string? Field(HttpHeaders fields) =>
        fields.TryGetValues("grpc-status", out IEnumerable<string>? values) ? values.Single() : null;
}
