using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Grpc.AspNetCore.Web;

/// <summary>Collects the trailers of a call and sends them as the last frame of the body, where every client sees them.</summary>
internal sealed class GrpcWebResponse(IHttpResponseBodyFeature body) : IHttpResponseTrailersFeature, IHttpResponseBodyFeature
{
    /// <summary>The flag of a frame that holds trailers.</summary>
    private const byte TrailersFlag = 0x80;

    private bool isFinished;

    public IHeaderDictionary Trailers { get; set; } = new HeaderDictionary();

    public Stream Stream => body.Stream;

    public PipeWriter Writer => body.Writer;

    public void DisableBuffering() => body.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => body.StartAsync(cancellationToken);

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        body.SendFileAsync(path, offset, count, cancellationToken);

    public async Task CompleteAsync()
    {
        await FinishAsync();
        await body.CompleteAsync();
    }

    /// <summary>Sends the trailers, once; a call that failed before its first message has its status in the headers.</summary>
    public async Task FinishAsync()
    {
        if (isFinished || Trailers.Count == 0)
        {
            return;
        }

        isFinished = true;
        StringBuilder fields = new();
        foreach ((string name, StringValues values) in Trailers)
        {
            foreach (string? value in values)
            {
                fields.Append(name.ToLowerInvariant()).Append(": ").Append(value).Append("\r\n");
            }
        }

        byte[] text = Encoding.ASCII.GetBytes(fields.ToString());
        byte[] frame = new byte[Protocol.FrameHeaderSize + text.Length];
        frame[0] = TrailersFlag;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), text.Length);
        text.CopyTo(frame, Protocol.FrameHeaderSize);
        await body.Writer.WriteAsync(frame);
    }
}
