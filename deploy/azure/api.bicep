// The function app, on Flex Consumption. Everything that it opens, it opens with its identity.
param token string
param location string
param tags object
param identityId string
param identityClientId string
param blobServiceUri string
param queueServiceUri string
param tableServiceUri string
param packageContainerUri string
param insightsConnectionString string
param signalrUri string
param apiKeysUri string
param instanceMemoryMB int
param maximumInstanceCount int

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'api' }) // where azd puts the service `api`
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    functionAppConfig: {
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount // for HTTP, and as many again for the queue
        triggers: { http: { perInstanceConcurrency: 8 } } // maxConcurrentRequests in host.json
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUri
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
    }
    // No `cors` here: the app answers browsers itself, also with the headers that the page reads. Once
    // the platform has a list of origins, it takes those headers away.
    siteConfig: { minTlsVersion: '1.2', ftpsState: 'Disabled', http20Enabled: true }
  }

  // No user name and password opens the deployment: azd and Core Tools deploy as the signed-in user.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  // Only names, addresses and references: nothing here opens anything without the identity.
  resource settings 'config' = {
    name: 'appsettings'
    properties: {
      AzureWebJobsStorage__blobServiceUri: blobServiceUri
      AzureWebJobsStorage__queueServiceUri: queueServiceUri
      AzureWebJobsStorage__tableServiceUri: tableServiceUri
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identityClientId
      AzureSignalRConnectionString__serviceUri: signalrUri
      AzureSignalRConnectionString__credential: 'managedidentity'
      AzureSignalRConnectionString__clientId: identityClientId
      APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
      API_KEYS: '@Microsoft.KeyVault(SecretUri=${apiKeysUri})'
      FETCH_BLOB_IDENTITY: 'true'
      FETCH_BLOB_CONTAINERS: 'images' // nor `packages`, nor the host's secrets
      WARM_UP: 'true'
      // For a runtime of 3.11 or 3.12: its worker imports a protobuf of its own before the
      // app, too old for TensorFlow. From 3.13 on the worker is always apart, and ignores this.
      PYTHON_ISOLATE_WORKER_DEPENDENCIES: '1'
      PYTHON_THREADPOOL_THREAD_COUNT: '32'
      FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '29360128'
    }
  }
}

output uri string = 'https://${app.properties.defaultHostName}'
