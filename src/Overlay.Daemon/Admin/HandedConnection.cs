using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Overlay.Daemon.Admin;

/// <summary>
/// An accepted connection on its way to another endpoint. To dispose of it gives it back to the endpoint that accepted
/// it, which closes it.
/// </summary>
internal sealed class HandedConnection(ConnectionContext accepted) : ConnectionContext
{
    private readonly TaskCompletionSource completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when the other endpoint is done with it.</summary>
    public Task Completion => completion.Task;

    public override IDuplexPipe Transport
    {
        get => accepted.Transport;
        set => accepted.Transport = value;
    }

    public override string ConnectionId
    {
        get => accepted.ConnectionId;
        set => accepted.ConnectionId = value;
    }

    public override IFeatureCollection Features => accepted.Features;

    public override IDictionary<object, object?> Items
    {
        get => accepted.Items;
        set => accepted.Items = value;
    }

    public override CancellationToken ConnectionClosed
    {
        get => accepted.ConnectionClosed;
        set => accepted.ConnectionClosed = value;
    }

    public override EndPoint? LocalEndPoint
    {
        get => accepted.LocalEndPoint;
        set => accepted.LocalEndPoint = value;
    }

    public override EndPoint? RemoteEndPoint
    {
        get => accepted.RemoteEndPoint;
        set => accepted.RemoteEndPoint = value;
    }

    public override void Abort(ConnectionAbortedException abortReason) => accepted.Abort(abortReason);

    public override void Abort() => accepted.Abort();

    public override ValueTask DisposeAsync()
    {
        completion.TrySetResult();
        return base.DisposeAsync();
    }
}
