// The app's storage account: its package, the queues, and private images. Nobody has a key to it.
param name string
param location string
param tags object
param appPrincipalId string
param userPrincipalId string

// Built-in roles: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // the host leases blobs
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var tableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // the host's diagnostic events
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var appRoles = [blobDataOwner, queueDataContributor, tableDataContributor]
var userRoles = empty(userPrincipalId) ? [] : [blobDataContributor, queueDataContributor]

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource packages 'containers' = {
      name: 'packages'
    }

    // Private images: FETCH_BLOB_CONTAINERS lets the app fetch from this container and no other.
    resource imageContainer 'containers' = {
      name: 'images'
    }
  }

  resource queues 'queueServices' = {
    name: 'default'

    resource images 'queues' = {
      name: 'images'
    }

    resource failed 'queues' = {
      name: 'images-failed'
    }
  }
}

resource appRights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in appRoles: {
  name: guid(account.id, appPrincipalId, role)
  scope: account
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

resource userRights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in userRoles: {
  name: guid(account.id, userPrincipalId, role)
  scope: account
  properties: {
    principalId: userPrincipalId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

output name string = account.name
output blobServiceUri string = account.properties.primaryEndpoints.blob
output queueServiceUri string = account.properties.primaryEndpoints.queue
output tableServiceUri string = account.properties.primaryEndpoints.table
output packageContainerUri string = '${account.properties.primaryEndpoints.blob}${account::blobs::packages.name}'
